/** Why lines do not move, for all tasks that are shown at once: one statement a store. */
import { type LineRates, RATE_IS_OLD_MS, readLineRatesOf } from '../../shared/store/parking.ts';
import type { TaskSummaryRow } from '../../shared/store/row.ts';
import type { Runtime } from '../runtime.ts';
import type { WaitReason } from '../schema/task.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { stopOf } from '../view/task-view.ts';

/** @returns by line; empty where that cannot be read, and each task shows what it was told as it came */
export async function readStops(
  { config }: Runtime,
  rows: readonly Pick<TaskSummaryRow, 'parked_for'>[],
): Promise<ReadonlyMap<string | null, WaitReason | undefined>> {
  const lines = [...new Set(rows.flatMap(({ parked_for }) => parked_for ?? []))];
  if (lines.length === 0) return new Map();
  const since = Date.now() - RATE_IS_OLD_MS;
  const parts = await callUpstream('database', () =>
    Promise.all(config.stores.all.map(({ db }) => readLineRatesOf(db, lines, since))),
  );
  const told: LineRates[] = parts === UNAVAILABLE ? [] : parts.flat();
  return new Map([...Map.groupBy(told, ({ line }) => line)].map(([line, ofLine]) => [line, stopOf(ofLine)]));
}
