// Loaded before the launcher (`node --import`): plain JavaScript that any Node runs. `npm ci` brings
// the Node and the runtime that the launcher needs; without them there is one clear line, no stack.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const NEEDED_NODE = 24;

function problem() {
  if (!existsSync(new URL('../node_modules', import.meta.url))) return 'nothing is installed yet; run: npm ci';
  if (Number(process.versions.node.split('.')[0]) < NEEDED_NODE) {
    const isInstalled = existsSync(new URL('../node_modules/node/bin/node', import.meta.url));
    return isInstalled
      ? `this is Node ${process.versions.node}; run it by npm (npm start, npm run deploy …), which takes the Node ${NEEDED_NODE} of the packages`
      : `this is Node ${process.versions.node}, and the Node ${NEEDED_NODE} that comes with the packages is missing; run: npm ci`;
  }
  try {
    // Looks for the package of this machine's platform, which `--omit=optional` leaves out.
    createRequire(import.meta.url)('workerd');
    return undefined;
  } catch (error) {
    const [, platform] =
      /"(@cloudflare\/workerd-[\w-]+)" could not be found|needs the "(@cloudflare\/[\w-]+)"/.exec(error.message) ?? [];
    return `the Workers runtime (workerd) is missing${platform === undefined ? '' : `: ${platform} is not installed`}; run: npm ci`;
  }
}

const found = problem();
if (found !== undefined) {
  console.error(`tasklane: ${found}`);
  process.exit(1);
}
