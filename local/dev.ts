/**
 * `npm run dev`: the local run for whoever changes a Worker. It is built and started again after each change to a
 * source, a migration or the configuration, with the same folder, port and tokens; accepted tasks go on. It has no
 * demo. Changes to the local run itself (`local/`, `deploy/`) need a new start by hand.
 */

import { existsSync, watch } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../deploy/plan/plan-files.ts';
import { ROLES } from '../shared/auth/role.ts';
import { reasonOf } from '../terminal/launch-error.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { pad, style } from '../terminal/style.ts';
import { openLogFile } from './log-file.ts';
import { keepFilesPrivate } from './private-files.ts';
import { signRoleTokens, writeLocalFile } from './role-tokens.ts';
import { type LocalRun, startLocal } from './runtime.ts';
import { watchFolders } from './source-watch.ts';
import { terminalLine } from './terminal-line.ts';
import { MAX_LOCAL_SHARDS, wholeNumber } from './whole-number.ts';

const HELP = `Runs Tasklane on this machine, and again after each change to its sources.

  npm run dev -- [--shards N] [--dir DIR]

  --shards N    consumer shards to run (as many as the API keys need, else 2)
  --dir DIR     keep database, log and addresses here (.wrangler)
  --help        this text

  PORT=8787     where it listens`;

const SOURCE_FOLDERS = ['producer', 'consumer', 'callback', 'shared', 'dashboard', 'migrations'];
const SOURCE_FILES: ReadonlySet<string> = new Set(['wrangler.toml', '.dev.vars']);

/** Editors write a file in several steps. */
const SETTLED_MS = 150;

const { values: options } = parseOptionsOrExit({
  options: {
    shards: { type: 'string' },
    dir: { type: 'string', default: path.join(ROOT, '.wrangler') },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const dir = path.resolve(options.dir);
keepFilesPrivate(dir, ['state', 'logs']);
const logFile = openLogFile(dir);

let run: LocalRun | undefined;
/** Files that changed since the run was built, until it is built again. */
const changed = new Set<string>();
let isBusy = false;
let timer: NodeJS.Timeout | undefined;

async function start(): Promise<string> {
  const startedAt = performance.now();
  run = await startLocal({
    port: wholeNumber('PORT', process.env.PORT || '8787', 1, 65_535),
    stateDir: path.join(dir, 'state'),
    ...(options.shards !== undefined && { shards: wholeNumber('--shards', options.shards, 1, MAX_LOCAL_SHARDS) }),
    reviewsServices: true,
    log: (line) => {
      logFile.write(line);
      const shown = terminalLine(line);
      if (shown !== undefined) console.error(`  ${style.red('!')} ${shown}`);
    },
  });
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

async function reload(): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  while (changed.size > 0) {
    const what = namesOf([...changed]);
    changed.clear();
    try {
      await run?.stop();
      run = undefined;
      console.log(`  ${style.green('✓')} ${what} ${style.dim(await start())}`);
    } catch (error) {
      console.error(`  ${style.red('✗')} ${what}: ${reasonOf(error)}; the next change tries again`);
    }
  }
  isBusy = false;
}

/** Editors and git write a new file under another name first; what was deleted counts where nothing else changed. */
function namesOf(files: readonly string[]): string {
  const present = files.filter((file) => existsSync(path.join(ROOT, file)));
  const [first = '', ...others] = present.length === 0 ? files : present;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function noteChange(file: string): void {
  changed.add(file);
  clearTimeout(timer);
  timer = setTimeout(() => void reload(), SETTLED_MS);
}

function watchSources(): void {
  watchFolders(ROOT, SOURCE_FOLDERS, noteChange);
  // Their folder, because editors put a new file in the old one's place.
  watch(ROOT, (_, name) => {
    if (name !== null && SOURCE_FILES.has(name)) noteChange(name);
  });
}

async function stop(): Promise<never> {
  await run?.stop().catch(() => {});
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => void stop());
}

try {
  const took = await start();
  watchSources();
  const { url = '', secrets } = run ?? {};
  const tokens = await signRoleTokens(secrets?.JWT_SECRET ?? '');
  const localFile = writeLocalFile(dir, url, tokens);
  console.log(`\n  ${style.bold('Tasklane')} ${style.dim(`· ${url}, up in ${took}; its log is ${logFile.file}`)}\n`);
  for (const role of ROLES) console.log(`  ${style.dim(pad(role, 10))}${tokens[role]}`);
  console.log(`\n  ${style.dim(`Also in ${path.relative('.', localFile)}. Waits for changes; Ctrl-C stops it.`)}\n`);
} catch (error) {
  console.error(`tasklane: ${reasonOf(error)}`);
  process.exit(1);
}
