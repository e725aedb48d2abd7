/** `POST /api/tasks/cancel|redrive|purge` and `/api/jobs`: what is done to many tasks at once, by filter. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { type JobAct, jobId, STATUSES_OF_ACT } from '../../shared/job/job.ts';
import type { ProblemDetails } from '../../shared/problem/problem.ts';
import type { TaskFilter } from '../../shared/store/find.ts';
import {
  createJob,
  endJob,
  type JobProgress,
  type JobRow,
  listJobs,
  readJob,
  readProgress,
} from '../../shared/store/jobs.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import { beside } from '../answer/beside.ts';
import type { App, AppEnv, Caller } from '../app.ts';
import { countByService, estimateJob } from '../jobs/estimate.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import type { Runtime } from '../runtime.ts';
import type { TaskFilters } from '../schema/find.ts';
import {
  type JobDocument,
  JobEstimateSchema,
  JobListQuerySchema,
  JobListSchema,
  JobParamsSchema,
  JobRequestSchema,
  JobSchema,
  PLAIN_PACE,
  RedriveRequestSchema,
} from '../schema/job.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { filterOf } from '../view/find-query.ts';

const shared = { tags: ['jobs'], middleware: [readsJson(MAX_TASK_BODY_BYTES)] };
const made = answers(
  { 200: jsonAnswer(JobEstimateSchema, 'What it would do.'), 202: jsonAnswer(JobSchema, 'It has begun.') },
  ...BODY_PROBLEMS,
);

const WITHIN = "Each task is dealt with once, whatever crashes. A client's job is about its own tasks.";

const cancelRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/tasks/cancel',
  operationId: 'cancelTasks',
  summary: 'Cancel tasks by filter',
  description: `${PLAIN_PACE}. ${WITHIN}`,
  request: { body: jsonBody(JobRequestSchema) },
  responses: made,
});

const redriveRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/tasks/redrive',
  operationId: 'redriveTasks',
  summary: 'Run failed and expired tasks again, by filter',
  description: `They start at a pace that their services bear, with fresh attempts, and as long again as they were given. ${WITHIN}`,
  request: { body: jsonBody(RedriveRequestSchema) },
  responses: made,
});

const purgeRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/tasks/purge',
  operationId: 'purgeTasks',
  summary: 'Delete ended tasks by filter',
  description:
    'Requests, results, timelines, refs and labels go at once. A task that ended in the last twelve days leaves an empty ' +
    `row, which outlives its messages. ${PLAIN_PACE}. ${WITHIN}`,
  request: { body: jsonBody(JobRequestSchema) },
  responses: made,
});

const listRoute = createRoute({
  tags: shared.tags,
  method: 'get',
  path: '/api/jobs',
  operationId: 'listJobs',
  summary: 'List jobs',
  request: { query: JobListQuerySchema },
  responses: answers({ 200: jsonAnswer(JobListSchema, 'A page of jobs.') }, 'invalid-request'),
});

const getRoute = createRoute({
  tags: shared.tags,
  method: 'get',
  path: '/api/jobs/{id}',
  operationId: 'getJob',
  summary: 'See how far a job is',
  request: { params: JobParamsSchema },
  responses: answers({ 200: jsonAnswer(JobSchema, 'The job.') }, 'job-not-found'),
});

const abortRoute = createRoute({
  tags: shared.tags,
  method: 'post',
  path: '/api/jobs/{id}/abort',
  operationId: 'abortJob',
  summary: 'Abort a job',
  description: 'What it has done stays done; tasks that it was to start within the next minute start. Safe to repeat.',
  request: { params: JobParamsSchema },
  responses: answers({ 200: jsonAnswer(JobSchema, 'As it stands now.') }, 'job-not-found'),
});

export function addJobs(app: App): void {
  app.openapi(cancelRoute, (c) => makeJob(c, 'cancel', c.req.valid('json')));
  app.openapi(redriveRoute, (c) => makeJob(c, 'redrive', c.req.valid('json')));
  app.openapi(purgeRoute, (c) => makeJob(c, 'purge', c.req.valid('json')));

  app.openapi(listRoute, async (c) => {
    const { runtime } = c.env;
    const { limit, cursor } = c.req.valid('query');
    const { scope, subject } = c.get('principal');
    const found = await callUpstream('database', async () => {
      const rows = await listJobs(runtime.config.stores.control, scope === 'all' ? undefined : subject, cursor, limit);
      return { rows, progress: await progressOf(runtime, rows) };
    });
    if (found === UNAVAILABLE) return unavailable('The jobs cannot be read at the moment.');
    const { rows, progress } = found;
    return answerJson({
      jobs: rows.map((row) => jobDocument(row, progress.get(row.id) ?? [])),
      nextCursor: rows.length < limit ? null : (rows.at(-1)?.id ?? null),
    });
  });

  app.openapi(getRoute, (c) => answerJob(c, c.req.valid('param').id));

  app.openapi(abortRoute, async (c) => {
    const { control } = c.env.runtime.config.stores;
    const { id } = c.req.valid('param');
    const job = await callUpstream('database', () => readJob(control, id));
    if (job !== UNAVAILABLE && job !== undefined && mayTouch(c.get('principal'), job)) {
      const ended = await callUpstream('database', () => endJob(control, id, 'aborted', Date.now()));
      if (ended === UNAVAILABLE) return unavailable('The job cannot be written at the moment.');
      c.set('change', { before: { status: job.status }, after: { status: ended ? 'aborted' : job.status } });
    }
    return answerJob(c, id);
  });
}

interface Asked {
  readonly filter: TaskFilters;
  readonly dryRun: boolean;
  readonly perSecond?: number | undefined;
}

async function makeJob(
  c: Context<AppEnv>,
  act: JobAct,
  { filter: asked, dryRun, perSecond }: Asked,
): Promise<Response> {
  const { runtime } = c.env;
  const principal = c.get('principal');
  const other = asked.status?.find((status) => !STATUSES_OF_ACT[act].includes(status));
  if (other !== undefined) {
    const reason = `${other} is none of ${STATUSES_OF_ACT[act].join(', ')}, which a ${act} is for`;
    return refuse('invalid-request', {
      detail: `/filter/status: ${reason}`,
      errors: [{ field: '/filter/status', reason }],
    });
  }
  const now = Date.now();
  const read = filterOf(principal, { ...asked, status: asked.status ?? [...STATUSES_OF_ACT[act]] }, 1);
  if (!read.ok) return refuse(read.refusal.code, inFilter(read.refusal.details));
  const { limit: _, before: __, ...found } = read.filter;
  const filter: Omit<TaskFilter, 'limit'> = { ...found, createdBefore: Math.min(found.createdBefore ?? now, now) };
  const counted = await callUpstream('database', () => countByService(runtime, filter));
  if (counted === UNAVAILABLE) return unavailable('The tasks cannot be counted at the moment.');
  if (dryRun) {
    c.set('change', { count: 0 });
    const estimate = await callUpstream('callback', () => estimateJob(runtime, act, counted, perSecond));
    return estimate === UNAVAILABLE ? unavailable('The limits cannot be read at the moment.') : answerJson(estimate);
  }
  const job = {
    id: jobId(now, crypto.randomUUID().slice(0, 8)),
    act,
    subject: principal.subject,
    asked: JSON.stringify(asked),
    filter: JSON.stringify(filter),
    per_second: perSecond ?? null,
    matched: counted.count,
    is_counted: counted.isCounted ? 1 : 0,
    created_at: now,
  };
  const created = await callUpstream('database', () => createJob(runtime.config.stores.control, job).then(() => true));
  if (created === UNAVAILABLE) return unavailable('The job was not made for certain; list the jobs before a repeat.');
  c.set('change', { count: counted.count, after: { job: job.id, filter: asked } });
  beside(c, begin(runtime));
  return answerJson(jobDocument({ ...job, status: 'running', finished_at: null }, []), 202);
}

/** What is a parameter of the list is a field of the body here. */
function inFilter({ errors = [], ...details }: ProblemDetails = {}): ProblemDetails {
  const detail = errors[0] === undefined ? details.detail : `/filter/${errors[0].field}: ${errors[0].reason}`;
  return {
    ...details,
    ...(detail !== undefined && { detail }),
    errors: errors.map(({ field, reason }) => ({ field: `/filter/${field}`, reason })),
  };
}

/** A job that is not begun now begins with the minute's round. */
async function begin({ config }: Runtime): Promise<void> {
  await callUpstream('callback', () => config.callback.runJobs());
}

async function answerJob(c: Context<AppEnv>, id: string): Promise<Response> {
  const { runtime } = c.env;
  const found = await callUpstream('database', async () => {
    const job = await readJob(runtime.config.stores.control, id);
    return job === undefined ? undefined : { job, progress: await progressOf(runtime, [job]) };
  });
  if (found === UNAVAILABLE) return unavailable('The job cannot be read at the moment.');
  if (found === undefined || !mayTouch(c.get('principal'), found.job)) {
    return refuse('job-not-found', { detail: 'No job of yours has this id.' });
  }
  return answerJson(jobDocument(found.job, found.progress.get(id) ?? []));
}

function mayTouch({ scope, subject }: Caller, job: JobRow): boolean {
  return scope === 'all' || subject === job.subject;
}

async function progressOf({ config }: Runtime, jobs: readonly JobRow[]): Promise<Map<string, JobProgress[]>> {
  const ids = jobs.map(({ id }) => id);
  if (ids.length === 0) return new Map();
  const parts = await Promise.all(config.stores.all.map(({ db }) => readProgress(db, ids)));
  return Map.groupBy(parts.flat(), ({ job }) => job);
}

function jobDocument(row: JobRow, progress: readonly JobProgress[]): JobDocument {
  const done = progress.reduce((sum, part) => sum + part.done, 0);
  return {
    id: row.id,
    act: row.act,
    status: row.status,
    subject: row.subject,
    filter: JSON.parse(row.asked) as Record<string, unknown>,
    ...(row.per_second !== null && { perSecond: row.per_second }),
    count: row.matched,
    isCounted: row.is_counted === 1,
    done,
    skipped: progress.reduce((sum, part) => sum + part.seen, 0) - done,
    createdAt: new Date(row.created_at).toISOString(),
    ...(row.finished_at !== null && { finishedAt: new Date(row.finished_at).toISOString() }),
  };
}
