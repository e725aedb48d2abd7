/**
 * `npm start`: the whole pipeline on this machine, an example backend behind it, and a few real tasks
 * to watch. Stays up until Ctrl-C, which stops every child; a second one does not wait.
 */

import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../deploy/plan/plan-files.ts';
import { exampleServices, providerServices } from '../examples/services.ts';
import { ROLES } from '../shared/auth/role.ts';
import { DEFAULT_POOL, keyNameOf } from '../shared/key/name.ts';
import { reasonOf } from '../terminal/launch-error.ts';
import { parseOptions } from '../terminal/options.ts';
import { pad, style } from '../terminal/style.ts';
import { runDemo } from './demo/demo.ts';
import { tableHead, tableLine } from './demo/table.ts';
import { type ExampleProcess, startExample } from './example-process.ts';
import { openLogFile } from './log-file.ts';
import { keepFilesPrivate } from './private-files.ts';
import { DEMO_CLIENT, type RoleTokens, signRoleTokens, writeLocalFile } from './role-tokens.ts';
import { type LocalRun, startLocal } from './runtime.ts';
import { keyVariables } from './secrets.ts';
import { terminalLine } from './terminal-line.ts';
import { MAX_LOCAL_SHARDS, wholeNumber } from './whole-number.ts';

const HELP = `Starts Tasklane on this machine.

  npm start -- [--no-demo] [--shards N] [--stores N] [--dir DIR]

  --no-demo     no example services, and no tasks of theirs
  --shards N    consumer shards to run (as many as the API keys need, else 2)
  --stores N    databases to spread the tasks over (1)
  --dir DIR     keep database, log and addresses here (.wrangler)
  --help        this text

  PORT=8787     where it listens
  NO_COLOR=1    no colours`;

const DEFAULT_PORT = '8787';
/** Two keys on each: sharding is to be seen. */
const SHARDS_OF_THE_EXAMPLE = 2;
const MAX_LOCAL_STORES = 16;

interface StartOptions {
  readonly port: number;
  readonly shards: number | undefined;
  readonly stores: number;
  readonly demo: boolean;
  /** Everything that a run writes is below it. */
  readonly dir: string;
}

function readOptions(): StartOptions {
  const { values } = parseOptions({
    options: {
      'no-demo': { type: 'boolean', default: false },
      shards: { type: 'string' },
      stores: { type: 'string', default: '1' },
      dir: { type: 'string', default: path.join(ROOT, '.wrangler') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  return {
    port: wholeNumber('PORT', process.env.PORT || DEFAULT_PORT, 1, 65_535),
    shards: values.shards === undefined ? undefined : wholeNumber('--shards', values.shards, 1, MAX_LOCAL_SHARDS),
    stores: wholeNumber('--stores', values.stores, 1, MAX_LOCAL_STORES),
    demo: !values['no-demo'],
    dir: path.resolve(values.dir),
  };
}

const interrupted = new AbortController();
let backend: ExampleProcess | undefined;
let provider: ExampleProcess | undefined;
let run: LocalRun | undefined;

/** Ends the children, then this process. Called once; what comes after does not wait. */
async function shutDown(exitCode: number): Promise<never> {
  interrupted.abort();
  await Promise.allSettled([run?.stop(), backend?.stop(), provider?.stop()]);
  process.exit(exitCode);
}

function stopOnSignals(): void {
  let asked = false;
  const stop = () => {
    if (asked) process.exit(130);
    asked = true;
    // Nothing is up yet that would need time: its guard ends a half-started runtime.
    if (run === undefined) process.exit(130);
    console.log(style.dim('\n  Stopping. Accepted tasks go on with the next start.'));
    void shutDown(0);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  // `npm start | head`: nobody reads any more.
  process.stdout.on('error', () => void shutDown(0));
  stopWithNpm();
}

/** npm, killed, takes nothing with it: whoever started this through npm means both. */
function stopWithNpm(): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const npmPid = process.ppid;
  setInterval(() => void (process.ppid !== npmPid && shutDown(1)), 500).unref();
}

function say(text = ''): void {
  console.log(text === '' ? '' : `  ${text}`);
}

function warn(text: string): void {
  console.error(`  ${style.red('!')} ${text.split('\n')[0]}`);
}

async function main({ port, shards, stores, demo, dir }: StartOptions): Promise<void> {
  const startedAt = performance.now();
  keepFilesPrivate(dir, ['state', 'logs']);
  const logFile = openLogFile(dir);
  say();
  say(`${style.bold('Tasklane')} ${style.dim('· the local run')}`);
  say();
  // A line for the seconds of building, gone when there is something to show.
  if (process.stdout.isTTY) process.stdout.write(style.dim('  building and starting …'));
  const examples = demo ? await startExamples() : undefined;
  const atLeast = examples?.lentKeys === true ? SHARDS_OF_THE_EXAMPLE : undefined;
  const wanted = shards ?? atLeast;
  run = await startLocal({
    port,
    stateDir: path.join(dir, 'state'),
    ...(wanted !== undefined && { shards: wanted }),
    stores,
    services: examples?.services ?? {},
    reviewsServices: true,
    log: (line) => {
      logFile.write(line);
      const shown = terminalLine(line);
      if (shown !== undefined && !interrupted.signal.aborted) warn(shown);
    },
  });
  const tokens = await signRoleTokens(run.secrets.JWT_SECRET);
  const localFile = writeLocalFile(dir, run.url, tokens);

  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (process.stdout.isTTY) process.stdout.write('\r\u001B[2K');
  const parts = `producer, callback and ${run.shards} consumer ${run.shards === 1 ? 'shard' : 'shards'}`;
  say(`${style.green('✓')} ${parts} in one runtime ${style.dim(`${seconds} s`)}`);
  if (stores > 1) say(`${style.green('✓')} ${stores} stores`);
  if (backend !== undefined) say(`${style.green('✓')} an example backend on ${backend.url}`);
  if (provider !== undefined) {
    say(`${style.green('✓')} an example provider with rate-limited keys on ${provider.url}`);
  }
  if (run.recovered > 0) say(`${style.green('✓')} ${run.recovered} unfinished tasks of the last run go on`);
  say();

  const shown = path.join(dir, 'state', 'demo-shown');
  if (demo && !existsSync(shown)) {
    await showDemo(run.url, tokens.client);
    if (!interrupted.signal.aborted) writeFileSync(shown, '');
  }
  sayWhereThingsAre(run.url, tokens, localFile, logFile.file, demo);
}

/** What the demo's tasks go to. The tasks are submitted once in a folder, their services stay. */
async function startExamples() {
  backend = await startExample('backend', () => warn('the example backend ended; its tasks will be retried'));
  provider = await startExample('provider', () => warn('the example provider ended; its tasks will be retried'));
  const lentKeys = lendExampleKeys();
  return { services: { ...exampleServices(backend.url), ...providerServices(provider.url) }, lentKeys };
}

/** Without keys of one's own for it the example provider gets some: it takes any. */
function lendExampleKeys(): boolean {
  if (keyVariables().some((name) => keyNameOf(name)?.pool === DEFAULT_POOL)) return false;
  for (const number of [1, 2, 3, 4]) process.env[`KEY${number}`] = `example-key-${number}`;
  return true;
}

async function showDemo(url: string, token: string): Promise<void> {
  const startedAt = Date.now();
  console.log(tableHead());
  try {
    const report = await runDemo(
      url,
      token,
      (service, event) => console.log(tableLine(service, event, startedAt)),
      interrupted.signal,
    );
    const ends = Object.entries(report.byStatus).map(([status, count]) => `${count} ${status}`);
    say();
    say(
      `${report.tasks} tasks, ${report.attempts} attempts, ${(report.tookMs / 1000).toFixed(1)} s: ${ends.join(', ')}`,
    );
  } catch (error) {
    if (!interrupted.signal.aborted) warn(`the demo stopped: ${reasonOf(error)}`);
  }
  say();
}

function sayWhereThingsAre(url: string, tokens: RoleTokens, localFile: string, logFile: string, demo: boolean): void {
  if (interrupted.signal.aborted) return;
  const fact = (name: string, value: string) => say(`${style.dim(pad(name, 10))}${value}`);
  fact('API', style.bold(url));
  fact('Try it', `${url}/docs`);
  fact('Watch it', `${url}/dashboard`);
  fact('Document', `${url}/openapi.json`);
  fact('Log', logFile);
  say();
  say(style.dim(`A token per role, good for a week; also in ${localFile}`));
  for (const role of ROLES) fact(role, tokens[role]);
  say();
  say(style.dim('Submit a task of your own:'));
  const service = demo ? 'echo' : 'NAME';
  say(`TOKEN=$(npm run -s token -- --role client --sub ${DEMO_CLIENT})`);
  say(`curl -s ${url}/api/task -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\`);
  say(`  -d '{"service":"${service}","payload":{"hello":"world"}}'`);
  say();
  say(style.dim('Ctrl-C stops it all.'));
}

stopOnSignals();
try {
  await main(readOptions());
} catch (error) {
  // Closed by Ctrl-C while it was starting: nothing to tell.
  if (!interrupted.signal.aborted) console.error(`tasklane: ${reasonOf(error)}`);
  await shutDown(1);
}
