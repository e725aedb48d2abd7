/** `POST /api/task/:id/retry`: a failed or expired task runs again, with fresh attempts and as long again. */
import { createRoute } from '@hono/zod-openapi';
import { readTask } from '../../shared/store/read.ts';
import { refuse, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../caller/ownership.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { TaskParamsSchema, TaskStatusSchema } from '../schema/task.ts';
import { answerTaskStatus } from '../upstream/ledger-answer.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const route = createRoute({
  method: 'post',
  path: '/api/task/{id}/retry',
  operationId: 'retryTask',
  tags: ['tasks'],
  summary: 'Retry a failed or expired task',
  description:
    'It gets fresh attempts, counted on from those it had, and as long again as it was given at first; the answer says until when. What is cancelled stays so.',
  request: { params: TaskParamsSchema },
  responses: answers({ 200: jsonAnswer(TaskStatusSchema, 'It is due again.') }, 'task-not-found', 'not-retryable'),
});

export function addRetry(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const principal = c.get('principal');
    const { id } = c.req.valid('param');
    if (!(await mayName(runtime, principal, id))) return taskNotFound();
    const row = await callUpstream('database', () => readTask(runtime.config.stores.of(id), id));
    if (row === UNAVAILABLE) return unavailable('The task cannot be read at the moment.');
    const now = Date.now();
    if (row === undefined) {
      if (!mayBeUnrecorded(principal, id, now)) return taskNotFound();
      return refuse('not-retryable', { detail: 'The task is queued and has not run yet.' });
    }
    if (!owns(principal, row)) return taskNotFound();
    const answer = await callUpstream('callback', () =>
      runtime.config.callback.retryTask({ id, by: principal.subject }),
    );
    return answerTaskStatus(runtime, id, answer);
  });
}
