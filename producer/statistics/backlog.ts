/**
 * What waits now: in the queues, as the platform counts it, and in the lines of the waiting room, over all
 * stores. A queue or store that does not answer is left out and named.
 */
import { targetOfLine } from '../../shared/capacity/line.ts';
import { readWaitingLines, type WaitingLine } from '../../shared/store/backlog.ts';
import type { Store } from '../../shared/store/stores.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import type { Backlog } from '../schema/statistics.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';

/** A pace that is older says nothing of now. */
const PACE_HOLDS_MS = 120_000;

type Measured = Pick<Queue, 'metrics'>;

export async function readBacklog(
  queues: readonly Measured[],
  stores: readonly Store[],
  now: number,
): Promise<Backlog> {
  const [measured, waiting] = await Promise.all([
    Promise.all(queues.map((queue) => callUpstream('queue', () => queue.metrics()))),
    Promise.all(stores.map(({ db }) => callUpstream('database', () => readWaitingLines(db, now - PACE_HOLDS_MS)))),
  ]);
  return {
    queues: measured.flatMap((metrics, shard) => {
      if (metrics === UNAVAILABLE) return [];
      const { backlogCount, backlogBytes, oldestMessageTimestamp } = metrics;
      const oldestAt = oldestMessageTimestamp?.getTime() ?? 0;
      return [{ shard, messages: backlogCount, bytes: backlogBytes, ...(oldestAt > 0 && { oldestAt: iso(oldestAt) }) }];
    }),
    lines: mergeLines(waiting.flatMap((lines) => (lines === UNAVAILABLE ? [] : lines))).map((line) =>
      lineDocument(line, now),
    ),
    unavailableQueues: measured.flatMap((metrics, shard) => (metrics === UNAVAILABLE ? [shard] : [])),
    unavailableStores: waiting.flatMap((lines, at) => (lines === UNAVAILABLE ? [stores[at]?.number ?? at] : [])),
  };
}

/** One line may have tasks in several stores; the longest first. */
export function mergeLines(lines: readonly WaitingLine[]): WaitingLine[] {
  const byName = Map.groupBy(lines, ({ line }) => line);
  return [...byName]
    .map(([line, parts]) => ({
      line,
      count: parts.reduce((sum, { count }) => sum + count, 0),
      oldestId: parts.reduce(
        (oldest, { oldestId }) => (oldestId < oldest ? oldestId : oldest),
        parts[0]?.oldestId ?? '',
      ),
      perSecond: parts.find(({ perSecond }) => perSecond !== undefined)?.perSecond,
    }))
    .sort((a, b) => b.count - a.count);
}

function lineDocument({ line, count, oldestId, perSecond }: WaitingLine, now: number): Backlog['lines'][number] {
  const target = targetOfLine(line);
  return {
    line,
    ...(target?.kind === 'service' && { service: target.service }),
    ...(target?.kind === 'pool' && { pool: target.pool }),
    ...(target?.kind === 'pool' && target.bucket !== undefined && { bucket: target.bucket }),
    tasks: count,
    oldestAt: iso(taskCreatedAt(oldestId)),
    ...(perSecond !== undefined &&
      perSecond > 0 && { perSecond, emptyAt: iso(now + Math.ceil((count / perSecond) * 1000)) }),
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
