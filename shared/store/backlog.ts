/**
 * What waits in line in one store: line by line, how many of which service and for which reason, with the pace
 * that the owners of the capacity last said. From the index of the lines alone.
 */
import { LINE_KINDS } from '../capacity/line.ts';
import type { DeferralReason } from '../task/state.ts';
import { jsonParameters, runForEach } from './parameter.ts';
import { readLines } from './parking.ts';

/** Tasks of one service that wait in a line for one reason. */
export interface WaitingPart {
  readonly service: string;
  readonly reason: DeferralReason;
  readonly count: number;
  readonly oldestId: string;
}

export interface WaitingLine {
  readonly line: string;
  readonly parts: readonly WaitingPart[];
  /** False: there are more than were counted. */
  readonly isCounted: boolean;
  /** Tasks a second; undefined when nobody has said it of late. */
  readonly perSecond: number | undefined;
}

/** Of each kind; of flows there may be as many as there are customers, and the others are counted together. */
const MAX_LINES = 100;

/** Tasks of a line in a store: so many entries of an index are read within some 50 ms. */
const MAX_COUNTED = 100_000;

/** Lines whose names are within a range of texts; one line for itself. */
export interface LineRange {
  readonly name: string;
  readonly first: string;
  readonly last: string;
}

/** @param since a pace that is older says nothing of now, Unix ms */
export async function readWaitingLines(db: D1Database, since: number): Promise<WaitingLine[]> {
  const byKind = await Promise.all(LINE_KINDS.map((kind) => readRanges(db, kind)));
  return countWaiting(db, byKind.flat(), since);
}

/** Of what is asked for, where somebody stands. @param since as for `readWaitingLines` */
export async function countWaiting(
  db: D1Database,
  ranges: readonly LineRange[],
  since: number,
): Promise<WaitingLine[]> {
  if (ranges.length === 0) return [];
  const [counted, rates] = await Promise.all([
    runForEach<{ name: string; parts: string }>(db, COUNT, jsonParameters(ranges)),
    runForEach<{ line: string; per_second: number | null }>(
      db,
      'SELECT line, per_second FROM lines WHERE line IN (SELECT value FROM json_each(?1)) AND noted_at >= ?2',
      jsonParameters(ranges.map(({ name }) => name)),
      since,
    ),
  ]);
  const paceOf = new Map(rates.map(({ line, per_second }) => [line, per_second ?? undefined]));
  return counted.flatMap(({ name: line, parts: text }) => {
    const parts = JSON.parse(text) as WaitingPart[];
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    return count === 0 ? [] : [{ line, parts, isCounted: count <= MAX_COUNTED, perSecond: paceOf.get(line) }];
  });
}

/** A line may have tasks in several stores. Each is told the pace of all of it, the late one not yet by all who move it. */
export function mergeLines(lines: readonly WaitingLine[]): WaitingLine[] {
  return [...Map.groupBy(lines, ({ line }) => line)].map(([line, ofStores]) => {
    const rates = ofStores.flatMap(({ perSecond }) => perSecond ?? []);
    return {
      line,
      parts: ofStores.flatMap(({ parts }) => parts),
      isCounted: ofStores.every(({ isCounted }) => isCounted),
      perSecond: rates.length === 0 ? undefined : Math.max(...rates),
    };
  });
}

const COUNT = `
  SELECT value->>'name' AS name, (
    SELECT json_group_array(json_object('service', service, 'reason', reason, 'count', tasks, 'oldestId', oldest_id))
    FROM (SELECT service, reason, count(*) AS tasks, min(id) AS oldest_id
      FROM (SELECT service, reason, id FROM tasks INDEXED BY tasks_parked
        WHERE parked_for >= value->>'first' AND parked_for <= value->>'last' LIMIT ${MAX_COUNTED + 1})
      GROUP BY service, reason)) AS parts
  FROM json_each(?1)`;

export function lineAlone(line: string): LineRange {
  return { name: line, first: line, last: line };
}

/** All lines whose names begin like this. @param name under which they are counted together */
export function linesFrom(name: string, beginning: string): LineRange {
  return { name, first: beginning, last: `${beginning}\u{10FFFF}` };
}

/** The lines of a kind, one by one; those beyond `MAX_LINES` together. */
async function readRanges(db: D1Database, kind: string): Promise<LineRange[]> {
  const beginning = `${kind}:`;
  const found = (await readLines(db, beginning, MAX_LINES)).filter((line) => line.startsWith(beginning));
  const last = found.at(-1);
  const alone = found.map(lineAlone);
  if (found.length < MAX_LINES || last === undefined) return alone;
  return [...alone, { ...linesFrom(`${beginning}*`, beginning), first: `${last}\u0001` }];
}
