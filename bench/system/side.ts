/** The sides: a system of Tasklane and bare Workers for each pair of equal durability. */
import type { Pair, Yardstick } from '../measure/line.ts';
import { startBare } from './bare.ts';
import { type Checkout, startCommit, startToday } from './commit.ts';
import type { System } from './system.ts';
import { startTasklane } from './tasklane.ts';

export interface Sides {
  readonly pairs: Readonly<Record<Pair, { readonly tasklane: System } & Readonly<Record<Yardstick, System>>>>;
  readonly systems: readonly System[];
  stop(): Promise<void>;
}

/**
 * @param beside `null`: bare Workers on both sides, which shows what a ratio is worth on this machine; a checkout: Tasklane
 *   of that commit stands where bare Workers do
 */
export async function startSides(backendPort: number, beside: 'bare' | 'null' | Checkout): Promise<Sides> {
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
    if (typeof beside === 'object') {
      const tasklane = await start(startToday(accept, backendPort));
      const other = await start(startCommit(beside, accept, backendPort));
      return { tasklane, bare: other, bareDirect: other, bareAlike: other };
    }
    const isNull = beside === 'null';
    return {
      tasklane: await start(isNull ? startBare({ record }, backendPort) : startTasklane(accept, backendPort)),
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
