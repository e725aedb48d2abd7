/** `POST /api/task`: one task, accepted by one send. */
import { createRoute } from '@hono/zod-openapi';
import { mintTaskId } from '../../shared/task/id.ts';
import { acceptTask } from '../accept.ts';
import { answerJson, refuse, statusUrlOf } from '../answer.ts';
import type { App } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../body.ts';
import { idKeyOf } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { ACCEPTED_EXAMPLE, AcceptedTaskSchema, TaskSubmissionSchema } from '../schema/submission.ts';
import { loadServices } from '../services.ts';
import { chooseStore } from '../store-choice.ts';
import { draftTask, NOT_ACCEPTED, taskOf } from '../submission.ts';

const route = createRoute({
  method: 'post',
  path: '/api/task',
  operationId: 'submitTask',
  tags: ['tasks'],
  summary: 'Submit a task',
  description: 'Answers as soon as the task is safe; 202 means that it will reach an end, whatever happens.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: { required: true, content: { 'application/json': { schema: TaskSubmissionSchema } } } },
  responses: answers(
    { 202: jsonAnswer(AcceptedTaskSchema, 'Accepted; `Location` is where it is polled.', ACCEPTED_EXAMPLE) },
    'invalid-request',
    'malformed-body',
    'body-too-large',
    'unsupported-media-type',
    'unknown-service',
  ),
});

export function addSubmit(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const submission = c.req.valid('json');
    const services = await loadServices(c, [submission.service]);
    const drafted = draftTask(services.all, submission);
    if (!drafted.ok) return refuse(drafted.refusal.code, drafted.refusal.details);
    const { subject } = c.get('principal');
    const now = Date.now();
    const id = await mintTaskId(
      await idKeyOf(runtime),
      subject,
      now,
      chooseStore(runtime.config.stores, Math.random()),
    );
    const accepted = await acceptTask(runtime, taskOf(drafted.draft, id, subject, now));
    if (!accepted) return refuse(NOT_ACCEPTED.code, NOT_ACCEPTED.details);
    const statusUrl = statusUrlOf(runtime, id);
    return answerJson({ id, status: 'queued', statusUrl }, 202, { location: statusUrl });
  });
}
