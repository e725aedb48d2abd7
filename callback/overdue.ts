/**
 * What becomes of tasks whose backend accepted them and did not call back in time, where their requests name services that
 * may take them: the sweeper hands them over, as a settle would.
 */
import { logError } from '../shared/log.ts';
import { type FallbackRow, readFallbacks } from '../shared/store/read.ts';
import { type StateRow, stateOfRow } from '../shared/store/row.ts';
import type { Move } from '../shared/store/transitions.ts';
import { fallbackOf, TaskRequestSchema } from '../shared/task/request.ts';
import { fallBack } from './fallback.ts';
import type { SweepDecision } from './sweep-decision.ts';

const FallbackSchema = TaskRequestSchema.pick({ fallback: true, fallbackOn: true });

interface Overdue {
  readonly row: StateRow;
  readonly decision: SweepDecision;
}

/** @returns the moves of those that are handed over, by their ids */
export async function handOver(db: D1Database, decided: readonly Overdue[], now: number): Promise<Map<string, Move>> {
  const failed = decided.filter(({ decision }) => decision.error?.class === 'callback-timeout');
  if (failed.length === 0) return new Map();
  const rows = await readFallbacks(
    db,
    failed.map(({ row }) => row.id),
  );
  const named = new Map(rows.map((row) => [row.id, row]));
  const moves = failed.flatMap(({ row, decision }): [string, Move][] => {
    const request = requestIn(named.get(row.id));
    const { error, record, next } = decision;
    const fallback = request === undefined || error === undefined ? undefined : fallbackOf(request, row.service, error);
    const move = fallBack(row.id, stateOfRow(row), next, { fallback, error, record }, now);
    if (move === undefined) return [];
    return [[row.id, { ...move, expected: { ...move.expected, ...(row.due_at !== null && { dueAt: row.due_at }) } }]];
  });
  return new Map(moves);
}

/** One that cannot be read is as if there was none (rule R21). */
function requestIn(row: FallbackRow | undefined) {
  if (row === undefined) return undefined;
  try {
    const fallbackOn = row.fallback_on === null ? undefined : (JSON.parse(row.fallback_on) as unknown);
    return FallbackSchema.safeParse({ fallback: JSON.parse(row.fallback) as unknown, fallbackOn }).data;
  } catch (error) {
    logError('task.unreadable', { id: row.id }, error);
    return undefined;
  }
}
