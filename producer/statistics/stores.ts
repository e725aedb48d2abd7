/**
 * How the stores stand, for whoever watches: how full, at what pace, until when. Sizes are those that this
 * isolate was told; a store that has not told it yet is asked.
 */
import { daysLeft, type StoreStatus, stateOfStore } from '../../shared/store/fill.ts';
import { readStoreSizes } from '../../shared/store/store-size.ts';
import { askDueStores, fillsOf } from '../accept/store-choice.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

export async function describeStores(runtime: Runtime, now: number): Promise<StoreStatus[]> {
  const { stores, storeLimitBytes: limitBytes } = runtime.config;
  await askDueStores(runtime);
  const samples = await callUpstream('database', () => readStoreSizes(stores.control, now));
  return fillsOf(runtime).map((fill) => {
    const { number, bytes } = fill;
    const sample = samples === UNAVAILABLE ? undefined : samples.get(number);
    return {
      store: number,
      state: stateOfStore(fill, limitBytes),
      bytes,
      limitBytes,
      usedPercent: bytes === undefined ? undefined : round((bytes / limitBytes) * 100),
      daysLeft: bytes === undefined ? undefined : rounded(daysLeft(bytes, sample, limitBytes, now)),
    };
  });
}

/** What a person should know, as sentences. */
export function warningsOf(statuses: readonly StoreStatus[]): string[] {
  return statuses.flatMap(({ store, state, usedPercent, daysLeft: days }) => {
    if (state === 'away') return [`store ${store} does not answer`];
    if (state !== 'nearly-full' && state !== 'full') return [];
    const left = days === undefined ? '' : `, with ${days} days left at the pace of the last day`;
    return [`store ${store} is ${usedPercent}% full${left}`];
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : round(value);
}
