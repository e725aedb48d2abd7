/** What jobs cost that redrive, purge or cancel many tasks. */
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import type { MeteredRun } from './metered-run.ts';
import { BATCH, DAY_MS, type Path, submitBatch } from './path.ts';

/** Tasks of a job. */
const JOB = 1_000;

/** With a ref, by which they are found. */
async function plantFailedTasks(run: MeteredRun): Promise<void> {
  const createdAt = Date.now() - DAY_MS;
  run.database
    .prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${JOB})
       INSERT INTO tasks (id, subject, service, status, run, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at, ref, request)
       SELECT substr(?1, 1, 28) || printf('%08d', n), 'operations', 'quick', 'failed', 1, 1, 0, 0, ?2, ?2, 'planted', '{}' FROM numbers`,
    )
    .run(smallestTaskIdAt(createdAt), createdAt + 3600_000);
}

/** So late that no queue holds their messages until then. */
async function submitFarTasks(run: MeteredRun): Promise<void> {
  for (let batch = 0; batch < JOB / BATCH; batch++) {
    await submitBatch(run, { service: 'slow', delaySeconds: 13 * 3600 });
  }
  await run.until(FAR_AND_OPEN, JOB);
}

const FAR_AND_OPEN = "service = 'slow' AND finished_at IS NULL";

async function cancelFarTasks(run: MeteredRun): Promise<void> {
  await run.call('POST', '/api/tasks/cancel', 202, { filter: { service: 'slow' } });
  await run.until(FAR_AND_OPEN, 0);
}

export const JOB_PATHS: readonly Path[] = [
  {
    name: 'task that is to start in thirteen hours and is cancelled by a job, per task of 1,000',
    budget: { queueOperations: 0.1, rowsWritten: 3.1 },
    async work(run) {
      await submitFarTasks(run);
      await cancelFarTasks(run);
      return JOB;
    },
  },
  {
    name: 'job: task that is cancelled before its start, per task of 1,000',
    budget: { queueOperations: 0.1, rowsWritten: 1.1 },
    prepare: submitFarTasks,
    async work(run) {
      await cancelFarTasks(run);
      return JOB;
    },
  },
  {
    name: 'job: task that is redriven, its next run included, per task of 1,000',
    budget: { queueOperations: 3.1, rowsWritten: 4.1 },
    prepare: plantFailedTasks,
    async work(run) {
      await run.call('POST', '/api/tasks/redrive', 202, { filter: { ref: 'planted' }, perSecond: 500 });
      await run.until(`status = 'succeeded' AND ref = 'planted'`, JOB);
      return JOB;
    },
  },
  {
    name: 'job: task that is purged, per task of 1,000',
    budget: { queueOperations: 0, rowsWritten: 2.1 },
    async work(run) {
      await run.call('POST', '/api/tasks/purge', 202, { filter: { ref: 'planted' } });
      await run.until(`ref = 'planted'`, 0);
      return JOB;
    },
  },
];
