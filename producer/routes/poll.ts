/** `GET /api/task/:id`: where a task stands; with `?wait=` not before it has ended or time is up. */
import { createRoute } from '@hono/zod-openapi';
import { RATE_IS_OLD_MS, readLinePosition } from '../../shared/store/parking.ts';
import { readEnded, readTask } from '../../shared/store/read.ts';
import type { TaskRow } from '../../shared/store/row.ts';
import { isTerminal } from '../../shared/task/status.ts';
import { answerJson, answerJsonText, statusUrlOf, unavailable } from '../answer/answer.ts';
import type { App, Caller } from '../app.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../caller/ownership.ts';
import { stringifyJson } from '../json/json-text.ts';
import type { Runtime } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { PollQuerySchema, TaskParamsSchema, TaskSchema } from '../schema/task.ts';
import { loadServices } from '../services/services.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { opensAtOf, type Sight, stopOf, taskView, unrecordedTask } from '../view/task-view.ts';

/** Looks come at growing intervals: a task that takes long is looked at once a second and a half. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_500;

/** While somebody else's question is under way. */
const ANSWER_PAUSE_MS = 20;

/** A body that was JSON stays as it was written. */
const AS_WRITTEN = [['request', 'body'], ['result']] as const;

const route = createRoute({
  method: 'get',
  path: '/api/task/{id}',
  operationId: 'getTask',
  tags: ['tasks'],
  summary: 'Poll a task',
  description: 'A client sees its own tasks; others are not found. An admin or a viewer sees every recorded task.',
  request: { params: TaskParamsSchema, query: PollQuerySchema },
  responses: answers({ 200: jsonAnswer(TaskSchema, 'The task.') }, 'invalid-request', 'task-not-found'),
});

export function addPoll(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const principal = c.get('principal');
    const { id } = c.req.valid('param');
    const startedAt = Date.now();
    const hot = runtime.finished.find(id, startedAt);
    if (hot !== undefined) return owns(principal, hot) ? answerJsonText(hot.json) : taskNotFound();
    if (!(await mayName(runtime, principal, id))) return taskNotFound();
    const read = () => callUpstream('database', () => readTask(runtime.config.stores.of(id), id));
    let row = await read();
    const waitUntil = startedAt + c.req.valid('query').wait * 1000;
    if (waitUntil > startedAt && row !== UNAVAILABLE && !isEnded(row) && (row === undefined || owns(principal, row))) {
      if (await awaitEnd(runtime, id, waitUntil, c.req.raw.signal)) row = await read();
    }
    if (row === UNAVAILABLE) return unavailable('The task cannot be read at the moment.');
    if (row !== undefined) {
      if (!owns(principal, row)) return taskNotFound();
      await loadServices(c, [row.service]);
      return answerRow(runtime, principal, row);
    }
    if (!mayBeUnrecorded(principal, id, Date.now())) return taskNotFound();
    return answerJson(unrecordedTask(id, principal.subject, statusUrlOf(runtime, id)));
  });
}

function isEnded(row: TaskRow | undefined): boolean {
  return row !== undefined && isTerminal(row.status);
}

async function answerRow(runtime: Runtime, caller: Caller, row: TaskRow): Promise<Response> {
  const inLine = row.parked_for === null ? {} : await positionOf(runtime, row.parked_for, row);
  const hidesBodies = runtime.services.find(row.service)?.redactBodies === true;
  const redaction = { request: hidesBodies, result: hidesBodies && row.subject !== caller.subject };
  const pause = runtime.services.pauseOf(row.service);
  const sight = { at: Date.now(), ...inLine, pause };
  const json = stringifyJson(taskView(row, statusUrlOf(runtime, row.id), sight, redaction), AS_WRITTEN);
  // A tombstone without a service is still filled in by the claim.
  const isLasting = row.status === 'succeeded' || (row.status === 'cancelled' && row.service !== '');
  // What is kept is shown to everybody who may see the task.
  if (isLasting && !hidesBodies) {
    runtime.finished.keep(row.id, { subject: row.subject, service: row.service, json }, Date.now());
  }
  return answerJsonText(json);
}

/** Where a parked task stands in its line, which is one over all stores; nothing when that cannot be read. */
async function positionOf({ config }: Runtime, line: string, row: TaskRow): Promise<Pick<Sight, 'position' | 'stop'>> {
  const now = Date.now();
  const since = now - RATE_IS_OLD_MS;
  const parts = await callUpstream('database', () =>
    Promise.all(config.stores.all.map(({ db }) => readLinePosition(db, line, row, since))),
  );
  if (parts === UNAVAILABLE) return {};
  const rates = parts.flatMap(({ perSecond }) => perSecond ?? []);
  const position = {
    ahead: parts.reduce((sum, { ahead }) => sum + ahead, 0),
    // Each store is told the pace of the whole line, some of them later.
    perSecond: rates.length === 0 ? null : Math.max(...rates),
    opensAt: opensAtOf(row, parts, now),
  };
  return { position, stop: stopOf(parts) };
}

/** False when the client went away, and nobody reads the answer. */
async function awaitEnd(runtime: Runtime, id: string, until: number, signal: AbortSignal): Promise<boolean> {
  const { watch } = runtime;
  watch.join(id);
  try {
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const leftMs = until - Date.now();
      if (leftMs <= 0) return true;
      watch.plan(id, Date.now() + pauseMs);
      await scheduler.wait(Math.min(pauseMs, leftMs));
      pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
      if (await hasEnded(runtime, id, signal)) return true;
    }
    return false;
  } finally {
    watch.leave(id);
  }
}

/** One statement a store for all tasks that somebody waits for now; a read that fails is no reason to stop waiting. */
async function hasEnded({ watch, config }: Runtime, id: string, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const progress = watch.look(id, Date.now());
    if (progress === 'ended') return true;
    if (progress === 'open' || signal.aborted) return false;
    if (progress === 'due') break;
    await scheduler.wait(ANSWER_PAUSE_MS);
  }
  const ids = watch.takeDue(id, Date.now());
  const ended = await callUpstream('database', () => config.stores.collect(ids, (each) => each, readEnded));
  if (ended === UNAVAILABLE) return false;
  watch.note(ids, new Set(ended));
  return ended.includes(id);
}
