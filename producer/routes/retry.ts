/** `POST /api/task/:id/retry`: a failed or expired task runs again, with fresh attempts and a new deadline. */
import { createRoute } from '@hono/zod-openapi';
import { ServiceDefinitionSchema, type Services } from '../../shared/service/definition.ts';
import { readTask } from '../../shared/store/read.ts';
import { refuse, unavailable } from '../answer.ts';
import { allows } from '../authorize.ts';
import type { Door } from '../door.ts';
import { answerStanding } from '../door-answer.ts';
import { mayBeUnrecorded, mayName, owns, taskNotFound } from '../ownership.ts';
import { reach, UNREACHED } from '../reach.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { TaskParamsSchema, TaskStandingSchema } from '../schema/task.ts';

const route = createRoute({
  method: 'post',
  path: '/api/task/{id}/retry',
  operationId: 'retryTask',
  tags: ['tasks'],
  summary: 'Retry a failed or expired task',
  description: 'It gets fresh attempts and the deadline that its service gives a new task. What is cancelled stays so.',
  security: [{ token: [] }],
  middleware: [allows('client', 'admin')] as const,
  request: { params: TaskParamsSchema },
  responses: answers({ 200: jsonAnswer(TaskStandingSchema, 'It is due again.') }, 'task-not-found', 'not-retryable'),
});

export function addRetry(door: Door): void {
  door.openapi(route, async (c) => {
    const { runtime } = c.env;
    const principal = c.get('principal');
    const { id } = c.req.valid('param');
    if (!(await mayName(runtime, principal, id))) return taskNotFound();
    const row = await reach('database', () => readTask(runtime.config.db, id));
    if (row === UNREACHED) return unavailable('The task cannot be read at the moment.');
    const now = Date.now();
    if (row === undefined) {
      if (!mayBeUnrecorded(principal, id, now)) return taskNotFound();
      return refuse('not-retryable', { detail: 'The task is queued and has not run yet.' });
    }
    if (!owns(principal, row.subject)) return taskNotFound();
    const deadlineAt = now + deadlineSecondsOf(runtime.config.services, row.service) * 1000;
    const answer = await reach('callback', () => runtime.config.callback.retryTask({ id, deadlineAt }));
    return answerStanding(runtime, id, answer);
  });
}

/** The usual deadline when the service is no longer configured: it may come back. */
function deadlineSecondsOf(services: Services, name: string): number {
  const service = Object.hasOwn(services, name) ? services[name] : undefined;
  return service?.deadlineSeconds ?? DEFAULT_DEADLINE_SECONDS;
}

const DEFAULT_DEADLINE_SECONDS = ServiceDefinitionSchema.parse({ binding: 'NONE' }).deadlineSeconds;
