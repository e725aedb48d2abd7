/**
 * What becomes of tasks whose attempt failed without anybody there to settle it, where their requests name services that
 * may take them: the callback did not come (the sweeper sees it), or the consumer died (a claim does). They are handed over
 * as a settle would.
 */
import { logError } from '../../shared/log.ts';
import { type FallbackRow, readFallbacks } from '../../shared/store/read.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import type { Move } from '../../shared/store/transitions.ts';
import type { AttemptRecord, TaskError } from '../../shared/task/attempt.ts';
import { fallbackOf, TaskRequestSchema } from '../../shared/task/request.ts';
import type { TaskState } from '../../shared/task/state.ts';
import { fallBack } from './fallback.ts';

const FallbackSchema = TaskRequestSchema.pick({ fallback: true, fallbackOn: true });

interface Failed {
  readonly row: StateRow;
  /** Where the task goes without another service. */
  readonly decision: { readonly next: TaskState; readonly error?: TaskError; readonly record?: AttemptRecord };
}

/** Those of an attempt; any other error is of the task as a whole. */
const OF_AN_ATTEMPT: ReadonlySet<string | undefined> = new Set(['callback-timeout', 'lost']);

/** @returns the moves of those that are handed over, by their ids */
export async function handOver(db: D1Database, decided: readonly Failed[], now: number): Promise<Map<string, Move>> {
  const failed = decided.filter(({ decision }) => OF_AN_ATTEMPT.has(decision.error?.class));
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
