/** Tasks that ended long ago, written past the Workers. */
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import type { MeteredRun } from './metered-run.ts';

export function plantTasks({ database }: MeteredRun, createdAt: number, tasks: number): void {
  database
    .prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?3)
       INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
       SELECT substr(?1, 1, 28) || printf('%08d', n), 'operations', 'quick', 'succeeded', 1, 0, 0, ?2, ?2 FROM numbers`,
    )
    .run(smallestTaskIdAt(createdAt), createdAt, tasks);
}
