/** `GET /api/task/:id`: where a task stands; with `?wait=` not before it has ended or time is up. */
import { createRoute } from '@hono/zod-openapi';
import { readStatus, readTask } from '../../shared/store/read.ts';
import type { TaskRow } from '../../shared/store/row.ts';
import { isTerminal } from '../../shared/task/status.ts';
import { answerJson, answerJsonText, statusUrlOf, unavailable } from '../answer.ts';
import type { App } from '../app.ts';
import { stringifyJson } from '../json/json-text.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../ownership.ts';
import type { Runtime } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { PollQuerySchema, TaskParamsSchema, TaskSchema } from '../schema/task.ts';
import { taskView, unrecordedTask } from '../task-view.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 500;

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
    if (hot !== undefined) return owns(principal, hot.subject) ? answerJsonText(hot.json) : taskNotFound();
    if (!(await mayName(runtime, principal, id))) return taskNotFound();
    const read = () => callUpstream('database', () => readTask(runtime.config.stores.of(id), id));
    let row = await read();
    const waitUntil = startedAt + c.req.valid('query').wait * 1000;
    if (
      waitUntil > startedAt &&
      row !== UNAVAILABLE &&
      !isEnded(row) &&
      (row === undefined || owns(principal, row.subject))
    ) {
      if (await awaitEnd(runtime, id, waitUntil, c.req.raw.signal)) row = await read();
    }
    if (row === UNAVAILABLE) return unavailable('The task cannot be read at the moment.');
    if (row !== undefined) return owns(principal, row.subject) ? answerRow(runtime, row) : taskNotFound();
    if (!mayBeUnrecorded(principal, id, Date.now())) return taskNotFound();
    return answerJson(unrecordedTask(id, principal.subject, statusUrlOf(runtime, id)));
  });
}

function isEnded(row: TaskRow | undefined): boolean {
  return row !== undefined && isTerminal(row.status);
}

function answerRow(runtime: Runtime, row: TaskRow): Response {
  const json = stringifyJson(taskView(row, statusUrlOf(runtime, row.id)));
  // A tombstone without a service is still filled in by the claim.
  if (row.status === 'succeeded' || (row.status === 'cancelled' && row.service !== '')) {
    runtime.finished.keep(row.id, { subject: row.subject, json }, Date.now());
  }
  return answerJsonText(json);
}

/** Looks at growing intervals; false when the client went away, and nobody reads the answer. */
async function awaitEnd(runtime: Runtime, id: string, until: number, signal: AbortSignal): Promise<boolean> {
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    const leftMs = until - Date.now();
    if (leftMs <= 0) return true;
    await scheduler.wait(Math.min(pauseMs, leftMs));
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
    const standing = await callUpstream('database', () => readStatus(runtime.config.stores.of(id), id));
    // A read that failed is no reason to stop waiting.
    if (standing !== UNAVAILABLE && standing !== undefined && isTerminal(standing.status)) return true;
  }
  return false;
}
