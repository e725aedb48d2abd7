/** What waits in line in one store, line by line, with the pace that the owner of the capacity last said. */
import { jsonParameters, runForEach } from './parameter.ts';
import { describeParked, readLines } from './parking.ts';

export interface WaitingLine {
  readonly line: string;
  /** Counted up to 10,000. */
  readonly count: number;
  readonly oldestId: string;
  /** Tasks a second; undefined when nobody has said it of late. */
  readonly perSecond: number | undefined;
}

/** More lines than this are not shown; each costs the rows that it counts. */
const MAX_LINES = 100;

/** @param since a pace that is older says nothing of now, Unix ms */
export async function readWaitingLines(db: D1Database, since: number): Promise<WaitingLine[]> {
  const lines = await readLines(db, '', MAX_LINES);
  if (lines.length === 0) return [];
  const [parked, rates] = await Promise.all([
    describeParked(db, lines),
    runForEach<{ line: string; per_second: number | null }>(
      db,
      'SELECT line, per_second FROM lines WHERE line IN (SELECT value FROM json_each(?1)) AND noted_at >= ?2',
      jsonParameters(lines),
      since,
    ),
  ]);
  const paceOf = new Map(rates.map(({ line, per_second }) => [line, per_second ?? undefined]));
  return parked.flatMap(({ line, count, oldest_id }) =>
    oldest_id === null ? [] : [{ line, count, oldestId: oldest_id, perSecond: paceOf.get(line) }],
  );
}
