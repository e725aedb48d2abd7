/** `POST /api/task`: one task, accepted by one send. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { payloadKey } from '../../shared/bodies/object-key.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { acceptSubmission } from '../accept/accept-submission.ts';
import { admitTasks, hasQuota, refuseByQuota } from '../accept/client-quota.ts';
import { refreshWaitNews } from '../accept/expectation.ts';
import { refuse } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { App, AppEnv } from '../app.ts';
import { refusalOfServices } from '../caller/limited-token.ts';
import { chooseStoreFor, type StoreFor } from '../groups/store-choice.ts';
import { fieldsOf } from '../idempotency/fields.ts';
import { invalidKey, readKeyHeader } from '../idempotency/key.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { bodyLimit } from '../json/inline-content.ts';
import { addJsonRoute } from '../json/json-route.ts';
import { comparable, type LargeJson } from '../json/large-json.ts';
import { idKeyOf } from '../runtime.ts';
import { checkPresent } from '../schema/present-members.ts';
import { answers, jsonAnswer, jsonBody } from '../schema/problem.ts';
import {
  ACCEPTED_EXAMPLE,
  AcceptedTaskSchema,
  IDEMPOTENCY_KEY_PARAMETER,
  TaskSubmissionSchema,
} from '../schema/submission.ts';
import { loadServices } from '../services/services.ts';
import { bindDraft, draftTask, wayOf } from '../submission/submission.ts';

/** It is named after its task, whose id is minted for it. */
const LARGE_PAYLOAD: LargeJson = {
  members: { payload: false, payloadBase64: true },
  async place(c, before) {
    const { bodies: bucket } = c.env.runtime.config;
    const { subject } = c.get('principal');
    // The tasks of a group are in one store, which the id names.
    const group = typeof before.group === 'string' ? before.group : undefined;
    const id = await newId(c, subject, group, Date.now());
    if (typeof id !== 'string') return refused(id.refusal);
    if (bucket === undefined) throw new Error('a large payload was let through without a bucket');
    return { bucket, key: payloadKey(id), id, group };
  },
};

const route = createRoute({
  method: 'post',
  path: '/api/task',
  operationId: 'submitTask',
  tags: ['tasks'],
  summary: 'Submit a task',
  description: 'Answers as soon as the task is safe; 202 means that it will reach an end, whatever happens.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES, [['payload']], LARGE_PAYLOAD)],
  parameters: [IDEMPOTENCY_KEY_PARAMETER],
  request: { body: jsonBody(TaskSubmissionSchema) },
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
    'quota-exceeded',
    'storage-full',
  ),
});

const checkSubmission = checkPresent(TaskSubmissionSchema);

export function addSubmit(app: App): void {
  addJsonRoute(app, route, checkSubmission, async (c, submission) => {
    const { runtime } = c.env;
    const { idempotencyKey } = submission;
    const header = readKeyHeader(c.get('headers').get('idempotency-key'));
    if (!header.ok) return refused(invalidKey(header.reason));
    if (header.key !== undefined && idempotencyKey !== undefined && header.key !== idempotencyKey) {
      return refused(invalidKey('differs from idempotencyKey in the body; give one of them'));
    }
    const caller = c.get('principal');
    const notForToken = refusalOfServices(caller, submission.service, ...(submission.fallback ?? []));
    if (notForToken !== undefined) return refuse(notForToken.code, notForToken.details);
    const loaded = loadServices(c, [submission.service]);
    const services = loaded instanceof Promise ? await loaded : loaded;
    const now = Date.now();
    const maxPayloadBytes = bodyLimit(runtime.config.bodies);
    const large = c.get('large');
    const came = { way: wayOf(c.get('headers')), maxPayloadBytes, large, caller };
    const drafted = draftTask(services.all, submission, now, came);
    if (!drafted.ok) return refuse(drafted.refusal.code, drafted.refusal.details);
    const { subject } = caller;
    const isLimited = hasQuota(runtime, submission.service);
    const admitted = isLimited ? await admitTasks(runtime, subject, submission.service, 1) : undefined;
    if (admitted?.granted === 0) return refuseByQuota(admitted);
    const binding = bindDraft(runtime, subject, drafted.draft);
    const bound = binding instanceof Promise ? await binding : binding;
    if (!bound.ok) return refuse(bound.refusal.code, bound.refusal.details);
    if (large !== undefined && large.group !== bound.draft.group) return refused(GROUP_TOO_LATE);
    refreshWaitNews(c, bound.draft.service, now);
    const id = large === undefined ? await newId(c, subject, bound.draft.group, now) : large.id;
    if (typeof id !== 'string') return refused(id.refusal);
    const upload = submission.payloadUpload;
    const fields = () => fieldsOf(large === undefined ? submission : { ...submission, ...comparable(large) });
    const submitted = { draft: bound.draft, id, subject, fields, upload };
    return acceptSubmission(c, submitted, header.key ?? idempotencyKey, now, admitted?.headers);
  });
}

async function newId(
  c: Context<AppEnv>,
  subject: string,
  group: string | undefined,
  now: number,
): Promise<string | Extract<StoreFor, { ok: false }>> {
  const chosen = await chooseStoreFor(c, subject, group);
  return chosen.ok ? mintTaskId(await idKeyOf(c.env.runtime), subject, now, chosen.store) : chosen;
}

/** A group that is named behind the payload was not known when the payload was stored. */
const GROUP_TOO_LATE: Refusal = {
  code: 'invalid-request',
  details: {
    detail: '/group: must stand before a payload of this size',
    errors: [{ field: '/group', reason: 'must stand before a payload of this size' }],
  },
};

function refused({ code, details }: Refusal): Response {
  return refuse(code, details);
}
