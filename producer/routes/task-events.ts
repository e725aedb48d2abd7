/** `GET /api/task/:id/events`: a task's changes as server-sent events, until it has ended. */
import { createRoute, z } from '@hono/zod-openapi';
import { readSummary } from '../../shared/store/read.ts';
import type { TaskSummaryRow } from '../../shared/store/row.ts';
import { isTerminal } from '../../shared/task/status.ts';
import { statusUrlOf, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../caller/ownership.ts';
import { readStops } from '../lines/line-stops.ts';
import { answers } from '../schema/problem.ts';
import { TaskParamsSchema, type TaskSummary } from '../schema/task.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { taskSummary } from '../view/task-view.ts';
import { eventStream, type StreamStatus } from '../watch/event-stream.ts';

const EXAMPLE = `retry: 1000

id: 1-running-0-0---
event: task
data: {"id":"tsk_06fkcm2m9g0000000000000000000000","status":"running"}

id: 1-succeeded-0-0---
event: task
data: {"id":"tsk_06fkcm2m9g0000000000000000000000","status":"succeeded"}

id: 1-succeeded-0-0---
event: end
data: {}
`;

const route = createRoute({
  method: 'get',
  path: '/api/task/{id}/events',
  operationId: 'watchTask',
  tags: ['tasks'],
  summary: 'Watch a task',
  description:
    'Server-sent events: `task` with what a list shows of it, whenever that changes, and `end` when it has ended. A stream ' +
    'ends after five minutes at the latest; with `Last-Event-ID` the next one tells nothing twice.',
  request: {
    params: TaskParamsSchema,
    headers: z.object({
      'last-event-id': z
        .string()
        .max(200)
        .optional()
        .openapi({ param: { name: 'last-event-id', in: 'header' }, example: '1-running-0-0---' }),
    }),
  },
  responses: answers(
    { 200: { description: 'Events.', content: { 'text/event-stream': { schema: z.string(), example: EXAMPLE } } } },
    'task-not-found',
  ),
});

export function addTaskEvents(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const caller = c.get('principal');
    const { id } = c.req.valid('param');
    if (!(await mayName(runtime, caller, id))) return taskNotFound();
    const read = () => callUpstream('database', () => readSummary(runtime.config.stores.of(id), id));
    const row = await read();
    if (row === UNAVAILABLE) return unavailable('The task cannot be read at the moment.');
    if (row === undefined ? !mayBeUnrecorded(caller, id, Date.now()) : !owns(caller, row)) return taskNotFound();
    const statusUrl = statusUrlOf(runtime, id);
    const stream = eventStream({
      event: 'task',
      lastSeen: c.req.valid('header')['last-event-id'],
      signal: c.req.raw.signal,
      async look() {
        const now = await read();
        if (now === UNAVAILABLE || now === undefined) return undefined;
        const stop = (await readStops(runtime, [now])).get(now.parked_for);
        const sight = { at: Date.now(), stop, pause: runtime.services.pauseOf(now.service) };
        return taskStatusOf(now, taskSummary(now, statusUrl, sight));
      },
    });
    return new Response(stream, {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      },
    });
  });
}

function taskStatusOf(row: TaskSummaryRow, summary: TaskSummary): StreamStatus {
  const changes = [
    row.run,
    row.status,
    row.deferrals,
    row.failures,
    summary.waitingFor?.reason ?? '',
    summary.progress ?? '',
    summary.progressMessage ?? '',
  ];
  // Messages may hold anything; an id is a line.
  const version = changes
    .map((part) => encodeURIComponent(part))
    .join('-')
    .slice(0, 200);
  return { version, data: JSON.stringify(summary), isLast: isTerminal(row.status) };
}
