/** `/api/schedules`: tasks that are submitted again and again, by cron. */
import { createRoute } from '@hono/zod-openapi';
import { nextRun } from '../../shared/schedule/runs.ts';
import {
  countSchedules,
  deleteSchedule,
  listSchedules,
  putSchedule,
  readSchedule,
  setSchedulePaused,
} from '../../shared/store/schedules.ts';
import { answerJson, answerJsonText, answerNothing, refuse, statusUrlOf, unavailable } from '../answer/answer.ts';
import { refusalAt } from '../answer/refusal.ts';
import type { App, Caller } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { stringifyJson } from '../json/json-text.ts';
import { definitionFault, scheduleDocument, scheduleRow } from '../schedules/definition.ts';
import { runNow } from '../schedules/run-due.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  ScheduleDefinitionSchema,
  type ScheduleDocument,
  ScheduleListSchema,
  ScheduleParamsSchema,
  ScheduleQuerySchema,
  ScheduleRunSchema,
  ScheduleSchema,
} from '../schema/schedule.ts';
import { loadServices } from '../services/services.ts';
import { bindDraft, draftTask } from '../submission/submission.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

/** Of one owner: each costs a look a minute. */
const MAX_SCHEDULES = 200;
const MAX_LISTED = 1_000;

const shared = { tags: ['schedules'] };
const named = { params: ScheduleParamsSchema, query: ScheduleQuerySchema };

const putRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/schedules',
  operationId: 'putSchedule',
  summary: 'Create or redefine a schedule',
  description: 'A schedule of yours with the same name is redefined; what it has run stays known.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES, [['task', 'payload']])],
  request: { body: jsonBody(ScheduleDefinitionSchema) },
  responses: answers(
    { 200: jsonAnswer(ScheduleSchema, 'It is redefined.'), 201: jsonAnswer(ScheduleSchema, 'It is created.') },
    ...BODY_PROBLEMS,
    'unknown-service',
  ),
});

const listRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/schedules',
  operationId: 'listSchedules',
  summary: 'List schedules',
  request: { query: ScheduleQuerySchema },
  responses: answers({ 200: jsonAnswer(ScheduleListSchema, 'By owner and name.') }, 'invalid-request'),
});

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/schedules/{name}',
  operationId: 'getSchedule',
  summary: 'See a schedule, its last and its next run',
  request: named,
  responses: answers({ 200: jsonAnswer(ScheduleSchema, 'The schedule.') }, 'invalid-request', 'schedule-not-found'),
});

const deleteRoute = createRoute({
  ...shared,
  method: 'delete',
  path: '/api/schedules/{name}',
  operationId: 'deleteSchedule',
  summary: 'Delete a schedule',
  description: 'Tasks that it has submitted go on.',
  request: named,
  responses: answers({ 204: { description: 'It is gone.' } }, 'invalid-request', 'schedule-not-found'),
});

const actionRoute = (action: 'pause' | 'resume', summary: string) =>
  createRoute({
    ...shared,
    method: 'post',
    path: `/api/schedules/{name}/${action}`,
    operationId: `${action}Schedule`,
    summary,
    request: named,
    responses: answers(
      { 200: jsonAnswer(ScheduleSchema, 'As it stands now.') },
      'invalid-request',
      'schedule-not-found',
    ),
  });

const runRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/schedules/{name}/run',
  operationId: 'runSchedule',
  summary: 'Run a schedule now, beside its plan',
  request: named,
  responses: answers(
    { 202: jsonAnswer(ScheduleRunSchema, 'Its task is submitted.') },
    'invalid-request',
    'schedule-not-found',
  ),
});

export function addSchedules(app: App): void {
  addPut(app);
  addViews(app);
  addDelete(app);
  addPauses(app);
  addRun(app);
}

function addPut(app: App): void {
  app.openapi(putRoute, async (c) => {
    const { runtime } = c.env;
    const { subject } = c.get('principal');
    const definition = c.req.valid('json');
    const fault = definitionFault(definition);
    if (fault !== undefined) return refuse('invalid-request', fault);
    const services = (await loadServices(c, [definition.task.service])).all;
    const drafted = draftTask(services, definition.task, Date.now());
    const bound = drafted.ok ? await bindDraft(runtime, subject, drafted.draft) : drafted;
    if (!bound.ok) {
      const { code, details } = refusalAt('/task', bound.refusal);
      return refuse(code, details);
    }
    const { control } = runtime.config.stores;
    const row = scheduleRow(subject, definition);
    const nextAt = nextRun(row.cron, row.time_zone, Date.now());
    const written = await callUpstream('database', async () => {
      const isKnown = (await readSchedule(control, subject, row.name)) !== undefined;
      if (!isKnown && (await countSchedules(control, subject)) >= MAX_SCHEDULES) return 'too-many' as const;
      const isNew = await putSchedule(control, row, nextAt);
      return { isNew, row: await readSchedule(control, subject, row.name) };
    });
    if (written === UNAVAILABLE) return unavailable('The schedule is not certain to be stored; repeat the request.');
    if (written === 'too-many') {
      const reason = `you have ${MAX_SCHEDULES} schedules, which is the most; delete one`;
      return refuse('invalid-request', { detail: reason, errors: [{ field: '/name', reason }] });
    }
    if (written.row === undefined) return unavailable('The schedule was deleted meanwhile; repeat the request.');
    return answerSchedules(scheduleDocument(written.row), written.isNew ? 201 : 200);
  });
}

function addViews(app: App): void {
  app.openapi(listRoute, async (c) => {
    const { control } = c.env.runtime.config.stores;
    const principal = c.get('principal');
    const subject = principal.scope === 'all' ? c.req.valid('query').subject : principal.subject;
    const rows = await callUpstream('database', () => listSchedules(control, subject, MAX_LISTED));
    if (rows === UNAVAILABLE) return unavailable('The schedules cannot be read at the moment.');
    return answerSchedules({ schedules: rows.map(scheduleDocument) });
  });

  app.openapi(getRoute, async (c) => {
    const { control } = c.env.runtime.config.stores;
    const owner = ownerOf(c.get('principal'), c.req.valid('query').subject);
    const row = await callUpstream('database', () => readSchedule(control, owner, c.req.valid('param').name));
    if (row === UNAVAILABLE) return unavailable('The schedule cannot be read at the moment.');
    return row === undefined ? notFound(c.req.valid('param').name) : answerSchedules(scheduleDocument(row));
  });
}

function addDelete(app: App): void {
  app.openapi(deleteRoute, async (c) => {
    const { control } = c.env.runtime.config.stores;
    const owner = ownerOf(c.get('principal'), c.req.valid('query').subject);
    const existed = await callUpstream('database', () => deleteSchedule(control, owner, c.req.valid('param').name));
    if (existed === UNAVAILABLE) return unavailable('The schedule is not certain to be deleted; repeat the request.');
    return existed ? answerNothing() : notFound(c.req.valid('param').name);
  });
}

function addPauses(app: App): void {
  for (const [route, paused] of [
    [actionRoute('pause', 'Pause a schedule'), true],
    [actionRoute('resume', 'Resume a schedule'), false],
  ] as const) {
    app.openapi(route, async (c) => {
      const { control } = c.env.runtime.config.stores;
      const { name } = c.req.valid('param');
      const owner = ownerOf(c.get('principal'), c.req.valid('query').subject);
      const row = await callUpstream('database', async () => {
        const known = await readSchedule(control, owner, name);
        if (known === undefined) return undefined;
        const nextAt = paused ? undefined : nextRun(known.cron, known.time_zone, Date.now());
        await setSchedulePaused(control, owner, name, paused, nextAt);
        return readSchedule(control, owner, name);
      });
      if (row === UNAVAILABLE) return unavailable('The schedule is not certain to have changed; repeat the request.');
      return row === undefined ? notFound(name) : answerSchedules(scheduleDocument(row));
    });
  }
}

function addRun(app: App): void {
  app.openapi(runRoute, async (c) => {
    const { runtime } = c.env;
    const { name } = c.req.valid('param');
    const owner = ownerOf(c.get('principal'), c.req.valid('query').subject);
    const row = await callUpstream('database', () => readSchedule(runtime.config.stores.control, owner, name));
    if (row === UNAVAILABLE) return unavailable('The schedule cannot be read at the moment.');
    if (row === undefined) return notFound(name);
    await loadServices(c, []);
    const run = await callUpstream('queue', () => runNow(runtime, row, Date.now()));
    if (run === UNAVAILABLE) return unavailable('The task was not submitted for certain.');
    if (!run.ok) return refuse('invalid-request', { detail: run.reason });
    return answerJson({ name, taskId: run.id, statusUrl: statusUrlOf(runtime, run.id) }, 202);
  });
}

/** Whose schedule an address means: one's own, or for whoever may see all, the one that the query names. */
function ownerOf({ scope, subject }: Caller, named: string | undefined): string {
  return scope === 'all' ? (named ?? subject) : subject;
}

function notFound(name: string): Response {
  return refuse('schedule-not-found', { detail: `There is no schedule ${name}.` });
}

const PAYLOADS = [
  ['task', 'payload'],
  ['schedules', '*', 'task', 'payload'],
] as const;

/** The task's payload as it was written. */
function answerSchedules(
  document: ScheduleDocument | { readonly schedules: readonly ScheduleDocument[] },
  status: 200 | 201 = 200,
) {
  return answerJsonText(stringifyJson(document, PAYLOADS), status);
}
