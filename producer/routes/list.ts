/**
 * `GET /api/tasks`, `…/count` and `…/errors`: tasks by filter, newest first. The cost grows with the page, not
 * with the table.
 */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { findTasks, type Shape, type TaskFilter } from '../../shared/store/find.ts';
import { mergePages } from '../../shared/store/merged-page.ts';
import type { Stores } from '../../shared/store/stores.ts';
import { RETRYABLE_STATUSES } from '../../shared/task/status.ts';
import { answerJson, refuse, statusUrlOf, unavailable } from '../answer/answer.ts';
import type { App, AppEnv } from '../app.ts';
import { readStops } from '../lines/line-stops.ts';
import {
  type CountQuery,
  CountQuerySchema,
  ErrorGroupsSchema,
  ListQuerySchema,
  TaskCountSchema,
} from '../schema/find.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { TaskListSchema } from '../schema/task.ts';
import { loadServices } from '../services/services.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { encodeCursor } from '../view/cursor.ts';
import { groupErrors } from '../view/error-groups.ts';
import { filterOf } from '../view/find-query.ts';
import { taskSummary } from '../view/task-view.ts';

/** Tasks that one answer counts or groups at most; beyond, it says where to go on. */
const MAX_COUNTED = 10_000;

const listRoute = createRoute({
  method: 'get',
  path: '/api/tasks',
  operationId: 'listTasks',
  tags: ['tasks'],
  summary: 'List tasks, newest first',
  description:
    'A client sees its own tasks, an admin all. A task appears once it is recorded. Who follows nextCursor meets each ' +
    'task that was there at the start exactly once. How many stand before a task in line, and until when it waits there, ' +
    'its poll says.',
  request: { query: ListQuerySchema },
  responses: answers({ 200: jsonAnswer(TaskListSchema, 'A page of tasks.') }, 'invalid-request'),
});

const countRoute = createRoute({
  method: 'get',
  path: '/api/tasks/count',
  operationId: 'countTasks',
  tags: ['tasks'],
  summary: 'Count tasks',
  description: `By the filters of the list. An answer counts ${MAX_COUNTED} tasks at most; add up what nextCursor leads to.`,
  request: { query: CountQuerySchema },
  responses: answers({ 200: jsonAnswer(TaskCountSchema, 'How many were found.') }, 'invalid-request'),
});

const errorsRoute = createRoute({
  method: 'get',
  path: '/api/tasks/errors',
  operationId: 'groupErrors',
  tags: ['tasks'],
  summary: 'Group failures by error',
  description:
    'By the filters of the list; failed and expired tasks when no status is given. Errors that differ in numbers and ids ' +
    'only are alike. The largest groups come first.',
  request: { query: CountQuerySchema },
  responses: answers({ 200: jsonAnswer(ErrorGroupsSchema, 'Groups of errors.') }, 'invalid-request'),
});

/** A store that does not answer makes the page fail: a list that leaves tasks out unseen would be worse. */
async function readPage<As extends Shape>({ all }: Stores, shape: As, filter: TaskFilter) {
  return mergePages(await Promise.all(all.map(({ db }) => findTasks(db, shape, filter))), filter.limit);
}

async function find<As extends Shape>(
  c: Context<AppEnv>,
  shape: As,
  query: CountQuery,
  limit: number,
  answer: (rows: Awaited<ReturnType<typeof readPage<As>>>['rows']) => object | Promise<object>,
): Promise<Response> {
  const { runtime } = c.env;
  const read = filterOf(c.get('principal'), query, limit);
  if (!read.ok) return refuse(read.refusal.code, read.refusal.details);
  const page = await callUpstream('database', () => readPage(runtime.config.stores, shape, read.filter));
  if (page === UNAVAILABLE) return unavailable('The tasks cannot be read at the moment.');
  const nextCursor = page.nextBefore === undefined ? null : encodeCursor(page.nextBefore);
  return answerJson({ ...(await answer(page.rows)), nextCursor });
}

export function addList(app: App): void {
  app.openapi(listRoute, async (c) => {
    const { limit, ...query } = c.req.valid('query');
    const { runtime } = c.env;
    const services = await loadServices(c, []);
    return find(c, 'summary', query, limit, async (rows) => {
      const stops = await readStops(runtime, rows);
      const tasks = rows.map((row) => {
        const sight = { at: Date.now(), stop: stops.get(row.parked_for), pause: services.pauseOf(row.service) };
        return taskSummary(row, statusUrlOf(runtime, row.id), sight);
      });
      return { tasks };
    });
  });

  app.openapi(countRoute, (c) => find(c, 'id', c.req.valid('query'), MAX_COUNTED, (rows) => ({ count: rows.length })));

  app.openapi(errorsRoute, (c) => {
    const query = c.req.valid('query');
    return find(c, 'error', { ...query, status: query.status ?? [...RETRYABLE_STATUSES] }, MAX_COUNTED, (rows) => ({
      groups: groupErrors(rows),
    }));
  });
}
