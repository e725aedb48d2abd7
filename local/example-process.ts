/** An example server (`examples/<name>/main.ts`) as a child process. It ends with this process, however this one ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { ROOT } from '../deploy/plan/plan-files.ts';
import { LaunchError } from '../terminal/launch-error.ts';

const STOP_MS = 3_000;

export interface ExampleProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** @throws LaunchError when it does not come up */
export async function startExample(name: 'backend' | 'provider', onExit: () => void): Promise<ExampleProcess> {
  const child = fork(path.join(ROOT, 'examples', name, 'main.ts'), ['--port', '0'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  const url = await listeningUrl(name, child);
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

function listeningUrl(name: string, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve((message as { listening: string }).listening));
    child.once('error', (error) => reject(new LaunchError(`the example ${name} did not start: ${error.message}`)));
    child.once('exit', (code) => reject(new LaunchError(`the example ${name} ended at once, code ${code}`)));
  });
}
