/** The sides: a system of Tasklane and bare Workers for each pair of equal durability. */
import type { Pair, Yardstick } from '../measure/line.ts';
import { startBare } from './bare.ts';
import type { System } from './system.ts';
import { startTasklane } from './tasklane.ts';

export interface Sides {
  readonly pairs: Readonly<Record<Pair, { readonly tasklane: System } & Readonly<Record<Yardstick, System>>>>;
  readonly systems: readonly System[];
  stop(): Promise<void>;
}

/** @param nullRun bare Workers on both sides: shows what a ratio is worth on this machine */
export async function startSides(backendPort: number, nullRun: boolean): Promise<Sides> {
  const systems: System[] = [];
  const start = async (starting: Promise<System>) => {
    const system = await starting;
    systems.push(system);
    return system;
  };
  const stop = async () => {
    await Promise.all(systems.map((system) => system.stop()));
  };
  // One after the other: each start looks for the process that came with it.
  const startPair = async (accept: Pair) => {
    const record = accept === 'queue+record';
    return {
      tasklane: await start(nullRun ? startBare({ record }, backendPort) : startTasklane(accept, backendPort)),
      bare: await start(startBare({ record }, backendPort)),
      bareDirect: await start(startBare({ record, direct: true }, backendPort)),
      bareAlike: await start(startBare({ record, alike: true }, backendPort)),
    };
  };
  try {
    return {
      pairs: { queue: await startPair('queue'), 'queue+record': await startPair('queue+record') },
      systems,
      stop,
    };
  } catch (cause) {
    await stop();
    throw cause;
  }
}
