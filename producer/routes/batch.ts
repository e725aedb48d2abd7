/** `POST /api/tasks/batch`: up to 1,000 tasks, each with its own answer. */
import { createRoute } from '@hono/zod-openapi';
import type { NewTask } from '../../shared/message/task-message.ts';
import type { ProblemDocument } from '../../shared/problem/problem.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { acceptTasks } from '../accept.ts';
import { answerJson, statusUrlOf } from '../answer.ts';
import type { App } from '../app.ts';
import { MAX_BATCH_BODY_BYTES, readsJson } from '../body.ts';
import { invalidRequest } from '../field-errors.ts';
import { documentOf } from '../refusal.ts';
import { idKeyOf, type Runtime } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { BatchResultSchema, BatchSubmissionSchema, TaskSubmissionSchema } from '../schema/submission.ts';
import { loadServices } from '../services.ts';
import { chooseStore } from '../store-choice.ts';
import { draftTask, NOT_ACCEPTED, taskOf } from '../submission.ts';

const route = createRoute({
  method: 'post',
  path: '/api/tasks/batch',
  operationId: 'submitTasks',
  tags: ['tasks'],
  summary: 'Submit up to 1,000 tasks',
  description: 'Each task is accepted or refused by itself, in the order sent.',
  middleware: [readsJson(MAX_BATCH_BODY_BYTES)],
  request: { body: { required: true, content: { 'application/json': { schema: BatchSubmissionSchema } } } },
  responses: answers(
    { 202: jsonAnswer(BatchResultSchema, 'An id or a problem for each task.') },
    'invalid-request',
    'malformed-body',
    'body-too-large',
    'unsupported-media-type',
  ),
});

type Item = { readonly index: number } & ({ readonly task: NewTask } | { readonly problem: ProblemDocument });

export function addBatch(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const { subject } = c.get('principal');
    const now = Date.now();
    const store = chooseStore(runtime.config.stores, Math.random());
    const submissions = c.req.valid('json').tasks;
    await loadServices(c, serviceNamesIn(submissions));
    const items = await Promise.all(
      submissions.map((submission, index) => itemOf(runtime, submission, index, subject, now, store)),
    );
    const tasks = items.flatMap((item) => ('task' in item ? [item.task] : []));
    const accepted = (await acceptTasks(runtime, tasks)).values();
    const results = items.map((item) => {
      if ('problem' in item) return item;
      const { index, task } = item;
      if (accepted.next().value !== true) return { index, problem: documentOf(NOT_ACCEPTED) };
      return { index, id: task.id, status: 'queued', statusUrl: statusUrlOf(runtime, task.id) };
    });
    return answerJson({ results }, 202);
  });
}

/** As far as they are names: each item is checked by itself. */
function serviceNamesIn(submissions: readonly unknown[]): string[] {
  const names = submissions.flatMap((submission) => {
    const name = (submission as { service?: unknown } | null)?.service;
    return typeof name === 'string' ? [name] : [];
  });
  return [...new Set(names)];
}

async function itemOf(
  runtime: Runtime,
  submission: unknown,
  index: number,
  subject: string,
  now: number,
  store: number,
): Promise<Item> {
  const checked = TaskSubmissionSchema.safeParse(submission);
  if (!checked.success) {
    const details = invalidRequest(checked.error.issues, 'body');
    return { index, problem: documentOf({ code: 'invalid-request', details }) };
  }
  const drafted = draftTask(runtime.services.all, checked.data);
  if (!drafted.ok) return { index, problem: documentOf(drafted.refusal) };
  const id = await mintTaskId(await idKeyOf(runtime), subject, now, store);
  return { index, task: taskOf(drafted.draft, id, subject, now) };
}
