/**
 * Failed tasks, the job that runs them again, and a provider with a limit, under a clock of the bench. The job is the
 * Worker's own, its database SQLite; messages arrive when the queue's delay is over, some late.
 */
import { DatabaseSync } from 'node:sqlite';
import type { CallbackEnv } from '../../callback/env.ts';
import { JOBS_A_ROUND, runJobs } from '../../callback/jobs/run.ts';
import { Statistics } from '../../callback/statistics.ts';
import { jobId, STATUSES_OF_ACT } from '../../shared/job/job.ts';
import { createJob, readJob } from '../../shared/store/jobs.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import { asD1, migrate } from '../sqlite/d1.ts';

const START = Date.UTC(2026, 10, 27);
const ROUND_MS = 60_000;
/** A queue hands a message over this late at most, where it is not held up. */
const LATE_MS = 400;

export interface Outcome {
  readonly seconds: number;
  /** When calls were made, in order. */
  readonly calls: readonly number[];
  readonly perSecond: number;
}

/** @param perSecond what the service's definition says @param asked the pace that the caller wants */
export async function redrive(tasks: number, perSecond: number, asked?: number): Promise<Outcome> {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  database
    .prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
       INSERT INTO tasks (id, subject, service, status, run, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at, request)
       SELECT substr(?2, 1, 28) || printf('%08d', n), 'bench', 'bench', 'failed', 1, 1, 1, 1, ?3, ?3, '{}' FROM numbers`,
    )
    .run(tasks, smallestTaskIdAt(START - 86_400_000), START - 80_000_000);
  const db = asD1(database);
  let now = START;
  const calls: number[] = [];
  const queue = {
    sendBatch: async (messages: readonly { readonly delaySeconds: number }[]) => {
      for (const { delaySeconds } of messages) calls.push(now + delaySeconds * 1000 + Math.random() * LATE_MS);
    },
  };
  const rates = async (names: readonly string[]) => names.map((service) => ({ service, perSecond }));
  const env = {
    stores: { all: [{ number: 0, db }], control: db },
    taskQueues: [{ shard: 0, queue }],
    statistics: new Statistics(),
    serverRegistry: { getByName: () => ({ getServiceRates: rates }) },
  } as unknown as CallbackEnv;
  const id = jobId(now, 'deadbeef');
  const filter = JSON.stringify({ statuses: STATUSES_OF_ACT.redrive, createdBefore: now });
  const job = { id, act: 'redrive', subject: 'bench', asked: '{}', filter, per_second: asked ?? null } as const;
  await createJob(db, { ...job, matched: tasks, is_counted: 1, created_at: now });
  while ((await readJob(db, id))?.status === 'running') {
    // What a round takes passes by the clock as it is.
    await runJobs(env, JOBS_A_ROUND, () => (now += Math.random() * 50));
    now += ROUND_MS + 2_000 * (Math.random() - 0.5);
  }
  calls.sort((a, b) => a - b);
  return { calls, perSecond, seconds: ((calls.at(-1) ?? START) - START) / 1000 };
}

/** Calls that a provider refuses which lets `limit` in any window of this length start, beside a steady traffic of others. */
export function refusals(
  { calls }: Outcome,
  window: { readonly limit: number; readonly ms: number; readonly othersPerSecond: number },
): number {
  const others = (window.othersPerSecond * window.ms) / 1000;
  const admitted: number[] = [];
  let first = 0;
  let refused = 0;
  for (const at of calls) {
    while (first < admitted.length && (admitted[first] ?? 0) <= at - window.ms) first += 1;
    if (admitted.length - first + others >= window.limit) refused += 1;
    else admitted.push(at);
  }
  return refused;
}
