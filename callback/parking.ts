/**
 * Wakes tasks that are parked until something happens to their service: a server came back, the
 * service was resumed. The rows are written first, then the wake-ups are sent (rules R1 and R20), so a
 * crash in between costs the sweeper's grace and no task. Safe to run twice at once.
 */
import { releaseParkedTasks } from '../shared/store/parking.ts';
import type { CallbackEnv } from './env.ts';
import { graceMs } from './sweep-decision.ts';
import { sendWakes } from './wake.ts';

/**
 * @param limit the most that go at once: the caller throttles
 * @returns how many were woken; fewer than `limit`: none is left
 */
export async function releaseParked(
  env: Pick<CallbackEnv, 'db' | 'taskQueues'>,
  service: string,
  limit: number,
  now: number,
): Promise<number> {
  const released = await releaseParkedTasks(env.db, service, limit, now, now + graceMs(0));
  await sendWakes(
    env.taskQueues,
    released.map(({ id, service: name }) => ({ id, service: name, delayMs: 0 })),
  );
  return released.length;
}
