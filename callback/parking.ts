/**
 * Serves the owners of lines (rule R20): wakes the oldest tasks of a line as room comes, and says how long
 * lines are. Rows are written first, then the wake-ups are sent (rule R1), so a crash in between costs a
 * grace and no task. Safe to run twice at once.
 */
import type { LineDescription, ReleaseAnswer, ReleaseRequest } from '../shared/ledger/line.ts';
import { describeParked, releaseParkedTasks } from '../shared/store/parking.ts';
import type { CallbackEnv } from './env.ts';
import { sendWakes } from './wake.ts';

export async function releaseLine(
  { db, taskQueues }: Pick<CallbackEnv, 'db' | 'taskQueues'>,
  { line, limit, shard, perSecond }: ReleaseRequest,
  now: number,
): Promise<ReleaseAnswer> {
  const { released, left } = await releaseParkedTasks(db, line, limit, perSecond, now);
  const wakes = released.map(({ id, service }) => ({ id, service, delayMs: 0, line }));
  await sendWakes(taskQueues, wakes, shard);
  return { released: released.length, left };
}

export async function describeLines(
  { db }: Pick<CallbackEnv, 'db'>,
  lines: readonly string[],
): Promise<LineDescription[]> {
  const described = await describeParked(db, [...new Set(lines)]);
  return described.map(({ line, count, oldest_id }) => ({
    line,
    count,
    ...(oldest_id !== null && { oldestId: oldest_id }),
  }));
}
