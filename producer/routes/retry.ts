/** `POST /api/task/:id/retry`: a failed or expired task runs again, with fresh attempts and a new deadline. */
import { createRoute } from '@hono/zod-openapi';
import { ServiceDefinitionSchema } from '../../shared/service/definition.ts';
import { readTask } from '../../shared/store/read.ts';
import { refuse, unavailable } from '../answer.ts';
import type { App } from '../app.ts';
import { answerStanding } from '../ledger-answer.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../ownership.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { TaskParamsSchema, TaskStandingSchema } from '../schema/task.ts';
import { loadServices } from '../services.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';

const route = createRoute({
  method: 'post',
  path: '/api/task/{id}/retry',
  operationId: 'retryTask',
  tags: ['tasks'],
  summary: 'Retry a failed or expired task',
  description: 'It gets fresh attempts and the deadline that its service gives a new task. What is cancelled stays so.',
  request: { params: TaskParamsSchema },
  responses: answers({ 200: jsonAnswer(TaskStandingSchema, 'It is due again.') }, 'task-not-found', 'not-retryable'),
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
    if (!owns(principal, row.subject)) return taskNotFound();
    const services = await loadServices(c, []);
    const deadlineAt = now + (services.find(row.service)?.deadlineSeconds ?? DEFAULT_DEADLINE_SECONDS) * 1000;
    const answer = await callUpstream('callback', () => runtime.config.callback.retryTask({ id, deadlineAt }));
    return answerStanding(runtime, id, answer);
  });
}

/** When the service is no longer configured: it may come back. */
const DEFAULT_DEADLINE_SECONDS = ServiceDefinitionSchema.parse({ binding: 'NONE' }).deadlineSeconds;
