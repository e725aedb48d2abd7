/** The example backend as a child process. It ends with this process, however this one ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { ROOT } from '../plan-files.ts';
import { LaunchError } from './launch-error.ts';

const STOP_MS = 3_000;

export interface BackendProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** @throws LaunchError when it does not come up */
export async function startBackendProcess(onExit: () => void): Promise<BackendProcess> {
  const child = fork(path.join(ROOT, 'examples', 'backend', 'main.ts'), ['--port', '0'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  const url = await listeningUrl(child);
  let stopping = false;
  child.once('exit', () => {
    if (!stopping) onExit();
  });
  return {
    url,
    stop: async () => {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      clearTimeout(force);
    },
  };
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve((message as { listening: string }).listening));
    child.once('error', (error) => reject(new LaunchError(`the example backend did not start: ${error.message}`)));
    child.once('exit', (code) => reject(new LaunchError(`the example backend ended at once, code ${code}`)));
  });
}
