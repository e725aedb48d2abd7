/** Watches how stores fill: notes their sizes each hour, and says in the log which are nearly full, or away. */
import { logWarning } from '../../shared/log.ts';
import { daysLeft, stateOfStore } from '../../shared/store/fill.ts';
import { noteStoreSizes, readStoreSizes } from '../../shared/store/store-size.ts';
import type { Store } from '../../shared/store/stores.ts';
import type { CallbackEnv } from '../env.ts';

export async function watchStores(
  { stores, storeLimitBytes }: Pick<CallbackEnv, 'stores' | 'storeLimitBytes'>,
  now: number,
): Promise<void> {
  const known = stores.all.flatMap(({ number, gauge: { sizeBytes } }) =>
    sizeBytes === undefined ? [] : [{ store: number, bytes: sizeBytes }],
  );
  if (known.length > 0) await noteStoreSizes(stores.control, known, now);
  const noted = stores.all.filter((store) => stateOf(store, storeLimitBytes) !== 'ok');
  if (noted.length === 0) return;
  const samples = await readStoreSizes(stores.control, now);
  for (const store of noted) {
    const { number, gauge } = store;
    const bytes = gauge.sizeBytes ?? 0;
    const days = daysLeft(bytes, samples.get(number), storeLimitBytes, now);
    logWarning(`store.${stateOf(store, storeLimitBytes)}`, {
      store: number,
      usedPercent: Math.round((bytes / storeLimitBytes) * 1000) / 10,
      ...(days !== undefined && { daysLeft: Math.round(days * 10) / 10 }),
    });
  }
}

function stateOf({ number, gauge }: Store, limitBytes: number) {
  const fill = { number, bytes: gauge.sizeBytes, isAway: gauge.isAway, isDraining: false };
  return stateOfStore(fill, limitBytes);
}
