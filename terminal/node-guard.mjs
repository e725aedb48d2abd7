// Loaded before the launcher (`node --import`): plain JavaScript that any Node runs. `npm ci` brings
// the Node and the runtime that the launcher needs; without them there is one clear line, no stack.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const NEEDED_NODE = 24;

function problem() {
  if (!existsSync(new URL('../node_modules', import.meta.url))) return 'nothing is installed yet';
  if (Number(process.versions.node.split('.')[0]) < NEEDED_NODE) {
    return `this is Node ${process.versions.node}, and the Node ${NEEDED_NODE} that comes with the packages is missing`;
  }
  try {
    createRequire(import.meta.url).resolve('workerd');
    return undefined;
  } catch {
    return 'the Workers runtime (workerd) is missing';
  }
}

const found = problem();
if (found !== undefined) {
  console.error(`tasklane: ${found}; run: npm ci`);
  process.exit(1);
}
