import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import {
  countDeferral,
  countEnd,
  counterOf,
  countWait,
  deferralsByReason,
  emptyTally,
  type Tally,
} from '../../../shared/statistics/tally.ts';
import { addToStatistics, deleteOldStatistics, readStatistics } from '../../../shared/store/statistics.ts';
import { countedDatabase } from './counted-database.ts';

function tally(name: string, hour: number, events: readonly ((tally: Tally) => void)[]) {
  const made = emptyTally('service', name, hour);
  for (const count of events) count(made);
  return made;
}

describe('statistics in the database', () => {
  it('are added to, whoever wrote the hour before', async () => {
    const succeeded = (made: Tally) => countEnd(made, 'succeeded', 50);
    const limited = (made: Tally) => countDeferral(made, 'rate-limited', undefined);
    await addToStatistics(env.DB, [tally('ocr', 10, [succeeded, limited]), tally('echo', 10, [succeeded])]);
    await addToStatistics(env.DB, [tally('ocr', 10, [succeeded, succeeded]), tally('ocr', 11, [succeeded])]);
    const rows = await readStatistics(env.DB, 'service', 10, 'ocr', 10);
    expect(rows.map((row) => [row.hour, counterOf(row, 'succeeded'), deferralsByReason(row)])).toEqual([
      [10, 3, { 'rate-limited': 1 }],
      [11, 1, {}],
    ]);
    expect(rows[0]?.total.reduce((sum, count) => sum + count, 0)).toBe(3);
  });

  it('add up waits by reason, as few as there are', async () => {
    const waited = (made: Tally) => countWait(made, 'no-key', 40_000);
    const paused = (made: Tally) => countWait(made, 'paused', 9);
    await addToStatistics(env.DB, [tally('waits', 10, [waited])]);
    await addToStatistics(env.DB, [tally('waits', 10, [])]);
    await addToStatistics(env.DB, [tally('waits', 10, [waited, paused])]);
    const [row] = await readStatistics(env.DB, 'service', 10, 'waits', 10);
    expect(row?.waits).toEqual({ 'no-key 13': 2, 'no-key ms': 80_000, 'paused 1': 1, 'paused ms': 9 });
  });

  it('keep what a newer release counts beside what an older one wrote', async () => {
    const older = { ...tally('mixed', 5, []), counts: [1, 2] };
    await addToStatistics(env.DB, [older]);
    await addToStatistics(env.DB, [{ ...older, counts: [1, 1, 7] }]);
    const [row] = await readStatistics(env.DB, 'service', 5, 'mixed', 10);
    expect(row?.counts).toEqual([2, 3, 7]);
    // While one release takes over from the other, both write.
    await addToStatistics(env.DB, [older]);
    const [after] = await readStatistics(env.DB, 'service', 5, 'mixed', 10);
    expect(after?.counts).toEqual([3, 5, 7]);
  });

  it('are read by the hours that are asked for, whatever else is kept, the newest first where there are many', async () => {
    const hours = Array.from({ length: 200 }, (_, hour) => tally('long', 1_000 + hour, []));
    await env.DB.exec('DELETE FROM statistics');
    await addToStatistics(env.DB, [...hours, tally('other', 1_199, []), tally('third', 1_198, [])]);
    const counted = countedDatabase();
    const rows = await readStatistics(counted.db, 'service', 1_198, undefined, 10);
    expect(rows.map(({ name, hour }) => [name, hour])).toEqual([
      ['long', 1_198],
      ['long', 1_199],
      ['other', 1_199],
      ['third', 1_198],
    ]);
    expect(counted.rowsRead).toBeLessThan(40);
    const newest = await readStatistics(env.DB, 'service', 1_000, undefined, 2);
    expect(newest.map(({ name, hour }) => [name, hour])).toEqual([
      ['long', 1_199],
      ['other', 1_199],
    ]);
    expect(await readStatistics(env.DB, 'service', 1_000, 'third', 10)).toHaveLength(1);
  });

  it('go when they are old', async () => {
    await addToStatistics(env.DB, [tally('old', 1, []), tally('old', 2, []), tally('old', 3, [])]);
    expect(await deleteOldStatistics(env.DB, 'service', 3, 10)).toBe(2);
    expect((await readStatistics(env.DB, 'service', 0, 'old', 10)).map(({ hour }) => hour)).toEqual([3]);
  });
});
