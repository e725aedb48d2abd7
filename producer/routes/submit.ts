/** `POST /api/task`: one task, accepted by one send. */
import { createRoute } from '@hono/zod-openapi';
import { mintTaskId } from '../../shared/task/id.ts';
import { acceptSubmission } from '../accept-submission.ts';
import { refuse } from '../answer.ts';
import type { App } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../body.ts';
import { refreshWaitNews } from '../expectation.ts';
import { chooseStoreFor } from '../groups/store-choice.ts';
import { fieldsOf } from '../idempotency/fields.ts';
import { invalidKey, readKeyHeader } from '../idempotency/key.ts';
import { bodyLimit } from '../inline-content.ts';
import { refusalOfServices } from '../limited-token.ts';
import type { Refusal } from '../refusal.ts';
import { idKeyOf } from '../runtime.ts';
import { answers, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  ACCEPTED_EXAMPLE,
  AcceptedTaskSchema,
  SubmissionHeadersSchema,
  TaskSubmissionSchema,
} from '../schema/submission.ts';
import { loadServices } from '../services.ts';
import { bindDraft, draftTask } from '../submission.ts';

const route = createRoute({
  method: 'post',
  path: '/api/task',
  operationId: 'submitTask',
  tags: ['tasks'],
  summary: 'Submit a task',
  description: 'Answers as soon as the task is safe; 202 means that it will reach an end, whatever happens.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES, [['payload']])],
  request: { headers: SubmissionHeadersSchema, body: jsonBody(TaskSubmissionSchema) },
  responses: answers(
    {
      202: jsonAnswer(
        AcceptedTaskSchema,
        'Accepted; `Location` is where it is polled. `Idempotency-Replayed: true` when it was submitted before.',
        ACCEPTED_EXAMPLE,
      ),
    },
    'invalid-request',
    'malformed-body',
    'body-too-large',
    'unsupported-media-type',
    'unknown-service',
    'idempotency-key-reused',
    'upload-used',
    'group-closed',
    'storage-full',
  ),
});

export function addSubmit(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const { idempotencyKey, ...submission } = c.req.valid('json');
    const header = readKeyHeader(c.req.valid('header')['idempotency-key']);
    if (!header.ok) return refused(invalidKey(header.reason));
    if (header.key !== undefined && idempotencyKey !== undefined && header.key !== idempotencyKey) {
      return refused(invalidKey('differs from idempotencyKey in the body; give one of them'));
    }
    const notForToken = refusalOfServices(c.get('principal'), submission.service, ...(submission.fallback ?? []));
    if (notForToken !== undefined) return refuse(notForToken.code, notForToken.details);
    const services = await loadServices(c, [submission.service]);
    const now = Date.now();
    const limit = bodyLimit(runtime.config.bodies);
    const drafted = draftTask(services.all, submission, now, c.req.raw.headers, limit);
    if (!drafted.ok) return refuse(drafted.refusal.code, drafted.refusal.details);
    const { subject } = c.get('principal');
    const bound = await bindDraft(runtime, subject, drafted.draft);
    if (!bound.ok) return refuse(bound.refusal.code, bound.refusal.details);
    refreshWaitNews(c, bound.draft.service, now);
    const chosen = await chooseStoreFor(c, subject, bound.draft.group);
    if (!chosen.ok) return refuse(chosen.refusal.code, chosen.refusal.details);
    const id = await mintTaskId(await idKeyOf(runtime), subject, now, chosen.store);
    const upload = submission.payloadUpload;
    const submitted = { draft: bound.draft, id, subject, fields: () => fieldsOf(submission), upload };
    return acceptSubmission(c, submitted, header.key ?? idempotencyKey, now);
  });
}

function refused({ code, details }: Refusal): Response {
  return refuse(code, details);
}
