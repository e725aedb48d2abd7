/**
 * Tasklane as it was at another commit, started beside today's and given the same work: its files are unpacked into a
 * directory of their own, its packages are installed there, and its own bench starts it, in a process of its own.
 */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LaunchError, reasonOf } from '../../terminal/launch-error.ts';
import type { Pair } from '../measure/line.ts';
import type { Started, ToStart } from './commit-process.ts';
import { Records } from './records.ts';
import { RuntimeProcess } from './runtime-process.ts';
import type { System } from './system.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOST = fileURLToPath(new URL('./commit-process.ts', import.meta.url));

export interface Checkout {
  /** Its short name, as git gives it. */
  readonly commit: string;
  readonly root: string;
  remove(): void;
}

/**
 * @param commit whatever git calls a commit
 * @throws LaunchError where there is none, or its packages cannot be installed
 */
export async function checkOut(commit: string): Promise<Checkout> {
  const inRepository = { cwd: ROOT };
  const found = ['rev-parse', '--short', '--verify', '--end-of-options', `${commit}^{commit}`];
  const name = await run('git', found, inRepository).catch(() => {
    throw new LaunchError(`git knows no commit ${commit} here; a clone without its history does not have it`);
  });
  const root = mkdtempSync(join(tmpdir(), 'tasklane-commit-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  // Ctrl-C must not leave a thousand packages behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', remove);
  try {
    if (process.stderr.isTTY) process.stderr.write(`unpacking ${commit} and installing its packages …\n`);
    const archive = join(root, 'commit.tar');
    await run('git', ['archive', '--format=tar', `--output=${archive}`, name.stdout.trim()], inRepository);
    await run('tar', ['-xf', archive, '-C', root]);
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root });
  } catch (cause) {
    remove();
    throw new LaunchError(`${commit} could not be set up: ${reasonOf(cause)}`);
  }
  return { commit: name.stdout.trim(), root, remove };
}

/** Today's, started as another commit is: a runtime beside the bench's own work in one process fares worse than one by itself. */
export function startToday(accept: Pair, backendPort: number): Promise<System> {
  return startCommit({ root: ROOT }, accept, backendPort);
}

export async function startCommit(
  { commit, root }: Partial<Checkout> & Pick<Checkout, 'root'>,
  accept: Pair,
  backendPort: number,
): Promise<System> {
  // Where it keeps its state is its own matter: it is told what the temporary directory is, and there is only one in it.
  const temporary = mkdtempSync(join(tmpdir(), 'tasklane-beside-'));
  const host = fork(HOST, [], { cwd: root, env: { ...process.env, TMPDIR: temporary } });
  host.send({ root, accept, backendPort } satisfies ToStart);
  const [answer] = (await Promise.race([once(host, 'message'), once(host, 'exit')])) as [Started | number];
  const name = commit === undefined ? 'Tasklane' : `Tasklane of ${commit}`;
  if (typeof answer === 'number') throw new LaunchError(`${name} did not start`);
  const [stateDir] = readdirSync(temporary).filter((name) => name.startsWith('tasklane-bench-'));
  const records = new Records(join(temporary, stateDir ?? ''));
  return {
    ...answer.system,
    name: `${name}, ${accept}`,
    runtime: new RuntimeProcess(answer.runtimePid),
    records,
    async stop() {
      records.close();
      const over = once(host, 'exit');
      host.send('stop');
      await over;
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
