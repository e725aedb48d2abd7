/** The process in which `commit.ts` runs another commit's Tasklane: started by that commit's own bench. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Pair } from '../measure/line.ts';
import type { System } from './system.ts';

export interface ToStart {
  readonly root: string;
  readonly accept: Pair;
  readonly backendPort: number;
}

/** What of a system goes from process to process. */
export interface Started {
  readonly system: Pick<System, 'durability' | 'address' | 'backend' | 'headers' | 'operatorHeaders'>;
  readonly runtimePid: number | undefined;
}

process.once('message', (message) => void start(message as ToStart));

async function start({ root, accept, backendPort }: ToStart): Promise<void> {
  const { startTasklane } = (await import(pathToFileURL(path.join(root, 'bench/system/tasklane.ts')).href)) as {
    startTasklane(accept: Pair, backendPort: number): Promise<System>;
  };
  const { durability, address, backend, headers, operatorHeaders, stop } = await startTasklane(accept, backendPort);
  process.once('message', () => void stop().then(() => process.exit(0)));
  process.send?.({
    system: { durability, address, backend, headers, ...(operatorHeaders && { operatorHeaders }) },
    runtimePid: runtimePid(),
  } satisfies Started);
}

/** Of the one runtime among this process's children; undefined where there is no /proc. */
function runtimePid(): number | undefined {
  try {
    const threads = `/proc/${process.pid}/task`;
    const children = readdirSync(threads).flatMap((thread) =>
      readFileSync(`${threads}/${thread}/children`, 'utf8').trim().split(' ').map(Number),
    );
    return children.find((pid) => pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'workerd');
  } catch {
    return undefined;
  }
}
