/**
 * No runtime outlives this process. Miniflare ends workerd when it is disposed of, but not when this
 * process is killed (`kill -9`, out of memory): workerd would stay behind and hold the port. So every
 * workerd that this process starts gets a guard: a shell that sleeps on a pipe from here and kills
 * workerd when the pipe breaks.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import path from 'node:path';

/** Waits until its standard input ends, which happens at the latest when this process does. */
const HOLD_THEN_KILL = 'cat >/dev/null; kill -KILL "$1" 2>/dev/null';

let runtimePid: number | undefined;
let watching = false;

/** From now on, every workerd started by this process dies with it. POSIX only; elsewhere it does nothing. */
export function guardRuntimes(): void {
  if (watching || process.platform === 'win32') return;
  watching = true;
  subscribe('child_process', (message) => {
    const { process: child } = message as { process: ChildProcess };
    child.once('spawn', () => {
      if (child.pid === undefined || path.basename(child.spawnfile) !== 'workerd') return;
      runtimePid = child.pid;
      guard(child, child.pid);
    });
  });
}

/** The process id of the workerd started last. */
export function latestRuntimePid(): number | undefined {
  return runtimePid;
}

function guard(child: ChildProcess, pid: number): void {
  // Detached: Ctrl-C in the terminal must not end the guard before its runtime.
  const holder = spawn('/bin/sh', ['-c', HOLD_THEN_KILL, 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  holder.on('error', () => {});
  holder.stdin.on('error', () => {});
  holder.unref();
  (holder.stdin as Socket).unref();
  // Once workerd is gone its number may become another's: the guard goes first.
  child.once('exit', () => holder.kill('SIGKILL'));
}
