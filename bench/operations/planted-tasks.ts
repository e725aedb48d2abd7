/** Tasks that ended long ago, or stand in line, written past the Workers. */
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import type { MeteredRun } from './metered-run.ts';

/** How the lines begin in which they stand. */
const PLANTED = 'pool:planted-';

export function plantTasks({ database }: MeteredRun, createdAt: number, tasks: number): void {
  database
    .prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?3)
       INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
       SELECT substr(?1, 1, 28) || printf('%08d', n), 'operations', 'quick', 'succeeded', 1, 0, 0, ?2, ?2 FROM numbers`,
    )
    .run(smallestTaskIdAt(createdAt), createdAt, tasks);
}

/** Those planted at this time stand in lines of which something was just said. */
export function parkTasks({ database }: MeteredRun, createdAt: number): void {
  database
    .prepare(
      `UPDATE tasks SET status = 'deferred', finished_at = NULL, run = 1, deferrals = 1, reason = 'no-key', next_at = 9e12,
         due_at = 9e12, deadline_at = 9e12, parked_for = '${PLANTED}' || id, place = 1 WHERE id LIKE ?1 || '%'`,
    )
    .run(smallestTaskIdAt(createdAt).slice(0, 28));
  database
    .prepare(
      `INSERT INTO lines (line, per_second, noted_at, rates)
       SELECT parked_for, 0, ?1, json_object('shard0', json_array(0, ?1, 'key-refused')) FROM tasks
       WHERE parked_for LIKE '${PLANTED}%'`,
    )
    .run(Date.now());
}

/** They ended long ago again. */
export function unparkTasks({ database }: MeteredRun): void {
  database.exec(
    `UPDATE tasks SET status = 'succeeded', finished_at = 1, next_at = NULL, due_at = NULL, parked_for = NULL, reason = NULL,
       place = NULL WHERE parked_for LIKE '${PLANTED}%';
     DELETE FROM lines WHERE line LIKE '${PLANTED}%'`,
  );
}
