/**
 * What waits now: in the queues, as the platform counts it, and in the lines of the waiting room, over all
 * stores; by line, and by service over all lines. A queue or store that does not answer is left out and named.
 */
import { targetOfLine } from '../../shared/capacity/line.ts';
import { isoTime } from '../../shared/iso-time.ts';
import { mergeLines, readWaitingLines, type WaitingLine, type WaitingPart } from '../../shared/store/backlog.ts';
import { RATE_IS_OLD_MS } from '../../shared/store/parking.ts';
import type { Store } from '../../shared/store/stores.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { isHookService } from '../../shared/webhook/hook.ts';
import type { Backlog } from '../schema/statistics.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

type Measured = Pick<Queue, 'metrics'>;
type Line = Backlog['lines'][number];

export async function readBacklog(
  queues: readonly Measured[],
  stores: readonly Store[],
  now: number,
): Promise<Backlog> {
  const [measured, waiting] = await Promise.all([
    Promise.all(queues.map((queue) => callUpstream('queue', () => queue.metrics()))),
    Promise.all(stores.map(({ db }) => callUpstream('database', () => readWaitingLines(db, now - RATE_IS_OLD_MS)))),
  ]);
  const lines = mergeLines(waiting.flatMap((lines) => (lines === UNAVAILABLE ? [] : lines)));
  return {
    queues: measured.flatMap((metrics, shard) => {
      if (metrics === UNAVAILABLE) return [];
      const { backlogCount, backlogBytes, oldestMessageTimestamp } = metrics;
      const oldestAt = oldestMessageTimestamp?.getTime() ?? 0;
      return [
        { shard, messages: backlogCount, bytes: backlogBytes, ...(oldestAt > 0 && { oldestAt: isoTime(oldestAt) }) },
      ];
    }),
    lines: lines.map((line) => lineDocument(line, now)).sort((a, b) => b.tasks - a.tasks),
    services: waitingByService(lines, now),
    unavailableQueues: measured.flatMap((metrics, shard) => (metrics === UNAVAILABLE ? [shard] : [])),
    unavailableStores: waiting.flatMap((lines, at) => (lines === UNAVAILABLE ? [stores[at]?.number ?? at] : [])),
  };
}

function lineDocument(line: WaitingLine, now: number): Line {
  const target = targetOfLine(line.line);
  const { isCounted, perSecond } = line;
  const tasks = tasksOf(line.parts);
  return {
    line: line.line,
    ...(target?.kind === 'service' && { service: target.service }),
    ...(target?.kind === 'pool' && { pool: target.pool }),
    ...(target?.kind === 'pool' && target.isOfRefused && { refused: true }),
    ...(target !== undefined && 'bucket' in target && target.bucket !== undefined && { bucket: target.bucket }),
    ...(target?.kind === 'flow' && { flow: target.flow }),
    tasks,
    isCounted,
    oldestAt: oldestOf(line.parts),
    reasons: byReason(line.parts),
    services: [...new Set(line.parts.map(({ service }) => shownService(service)))].sort(),
    ...(perSecond !== undefined && perSecond > 0 && { perSecond }),
    ...endOf(line, now),
  };
}

/** A service's tasks may stand in several lines: for places at it, for keys, in flows. The longest backlog first. */
function waitingByService(lines: readonly WaitingLine[], now: number): Backlog['services'] {
  const waiting = lines.flatMap((line) => line.parts.map((part) => ({ ...part, in: line })));
  return [...Map.groupBy(waiting, ({ service }) => shownService(service))]
    .map(([service, parts]) => {
      const ofIt = [...new Set(parts.map(({ in: line }) => line))];
      const ends = ofIt.map((line) => endOf(line, now).emptyAt);
      const latest = ends.includes(undefined) ? undefined : ends.toSorted().at(-1);
      return {
        service,
        tasks: tasksOf(parts),
        isCounted: ofIt.every(({ isCounted }) => isCounted),
        oldestAt: oldestOf(parts),
        reasons: byReason(parts),
        lines: ofIt.map((line) => ({
          line: line.line,
          tasks: tasksOf(parts.filter(({ in: standsIn }) => standsIn === line)),
        })),
        ...(latest !== undefined && { emptyAt: latest }),
      };
    })
    .sort((a, b) => b.tasks - a.tasks);
}

/** Messages wait at one service a hook; nobody is to read all hooks. */
function shownService(service: string): string {
  return isHookService(service) ? 'webhook:*' : service;
}

/** Of a line that is longer than was counted nobody knows it. */
function endOf({ parts, isCounted, perSecond }: WaitingLine, now: number): { emptyAt?: string } {
  if (!isCounted || perSecond === undefined || perSecond <= 0) return {};
  return { emptyAt: isoTime(now + Math.ceil((tasksOf(parts) / perSecond) * 1000)) };
}

function tasksOf(parts: readonly WaitingPart[]): number {
  return parts.reduce((sum, { count }) => sum + count, 0);
}

function oldestOf(parts: readonly WaitingPart[]): string {
  return isoTime(Math.min(...parts.map(({ oldestId }) => taskCreatedAt(oldestId))));
}

function byReason(parts: readonly WaitingPart[]): Line['reasons'] {
  return Object.fromEntries(
    [...Map.groupBy(parts, ({ reason }) => reason)].map(([reason, ofIt]) => [reason, tasksOf(ofIt)]),
  );
}
