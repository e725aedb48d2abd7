/** `GET /api/tasks`: newest first, page by page. The cost grows with the page, not with the table. */
import { createRoute } from '@hono/zod-openapi';
import { listTasks, type TaskFilter } from '../../shared/store/list.ts';
import { mergePages, type Page } from '../../shared/store/merged-page.ts';
import type { TaskSummaryRow } from '../../shared/store/row.ts';
import type { Stores } from '../../shared/store/stores.ts';
import { answerJson, refuse, statusUrlOf, unavailable } from '../answer.ts';
import type { App } from '../app.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { ListQuerySchema, TaskListSchema } from '../schema/task.ts';
import { taskSummary } from '../task-view.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';

const route = createRoute({
  method: 'get',
  path: '/api/tasks',
  operationId: 'listTasks',
  tags: ['tasks'],
  summary: 'List tasks, newest first',
  description: 'A client sees its own tasks, an admin or a viewer all. A task appears once it is recorded.',
  request: { query: ListQuerySchema },
  responses: answers({ 200: jsonAnswer(TaskListSchema, 'A page of tasks.') }, 'invalid-request'),
});

/** A store that does not answer makes the page fail: a list that leaves tasks out unseen would be worse. */
async function readPage({ all }: Stores, filter: TaskFilter): Promise<Page<TaskSummaryRow>> {
  return mergePages(await Promise.all(all.map(({ db }) => listTasks(db, filter))), filter.limit);
}

export function addList(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const principal = c.get('principal');
    const { cursor, limit, service, status } = c.req.valid('query');
    const before = cursor === undefined ? undefined : decodeCursor(cursor);
    if (cursor !== undefined && before === undefined) {
      const reason = 'is not a cursor of this list; take nextCursor of the page before';
      return refuse('invalid-request', { detail: `cursor: ${reason}`, errors: [{ field: 'cursor', reason }] });
    }
    const subject = principal.scope === 'all' ? undefined : principal.subject;
    const filter = { subject, status, service, limit, before };
    const page = await callUpstream('database', () => readPage(runtime.config.stores, filter));
    if (page === UNAVAILABLE) return unavailable('The tasks cannot be read at the moment.');
    const tasks = page.rows.map((row) => taskSummary(row, statusUrlOf(runtime, row.id)));
    const nextCursor = page.nextBefore === undefined ? null : encodeCursor(page.nextBefore);
    return answerJson({ tasks, nextCursor });
  });
}
