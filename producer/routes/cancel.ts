/** `POST /api/task/:id/cancel`: the task ends as cancelled, whether or not it is recorded yet. */
import { createRoute } from '@hono/zod-openapi';
import { readStatus } from '../../shared/store/read.ts';
import { unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../caller/ownership.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { TaskParamsSchema, TaskStatusSchema } from '../schema/task.ts';
import { answerTaskStatus } from '../upstream/ledger-answer.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const route = createRoute({
  method: 'post',
  path: '/api/task/{id}/cancel',
  operationId: 'cancelTask',
  tags: ['tasks'],
  summary: 'Cancel a task',
  description: 'Safe to repeat. A call that runs is aborted where possible; the task ends as cancelled all the same.',
  request: { params: TaskParamsSchema },
  responses: answers({ 200: jsonAnswer(TaskStatusSchema, 'It is cancelled.') }, 'task-not-found', 'task-finished'),
});

export function addCancel(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const principal = c.get('principal');
    const { id } = c.req.valid('param');
    if (!(await mayName(runtime, principal, id))) return taskNotFound();
    const known = await callUpstream('database', () => readStatus(runtime.config.stores.of(id), id));
    if (known === UNAVAILABLE) return unavailable('The task cannot be read at the moment.');
    if (known !== undefined && !owns(principal, known)) return taskNotFound();
    const plantTombstone = mayBeUnrecorded(principal, id, Date.now());
    if (known === undefined && !plantTombstone) return taskNotFound();
    const subject = known?.subject ?? principal.subject;
    const answer = await callUpstream('callback', () =>
      runtime.config.callback.cancelTask({ id, subject, plantTombstone }),
    );
    return answerTaskStatus(runtime, id, answer);
  });
}
