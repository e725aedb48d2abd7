/** `POST /api/tasks/batch`: up to 1,000 tasks, each with its own answer. */
import { createRoute } from '@hono/zod-openapi';
import type { MacKey } from '../../shared/crypto/mac.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import type { ProblemDocument } from '../../shared/problem/problem.ts';
import { mintTaskId, taskCreatedAt } from '../../shared/task/id.ts';
import { acceptTasks } from '../accept/accept.ts';
import { admitTasks, hasQuota } from '../accept/client-quota.ts';
import { STORAGE_FULL } from '../accept/store-choice.ts';
import { answerJson, refuse } from '../answer/answer.ts';
import { beside } from '../answer/beside.ts';
import { invalidRequest } from '../answer/field-errors.ts';
import { documentOf } from '../answer/refusal.ts';
import type { App, Caller } from '../app.ts';
import { dropPlaced, placePayload } from '../bodies/place-payload.ts';
import { namesFor, refusalOfServices } from '../caller/limited-token.ts';
import { enterGroups, NOT_CLOSED } from '../groups/batch-group.ts';
import { changeGroup } from '../groups/group.ts';
import type { StoreFor } from '../groups/store-choice.ts';
import { acceptOnce, isOfAnother, type KeyedTask, type OnceOutcome } from '../idempotency/accept-once.ts';
import { acceptedTask, answerOfOutcome } from '../idempotency/answer.ts';
import { fieldsOf } from '../idempotency/fields.ts';
import { MAX_BATCH_BODY_BYTES, readsJson } from '../json/body.ts';
import { bodyLimit } from '../json/inline-content.ts';
import { idKeyOf, type Runtime } from '../runtime.ts';
import { checkPresent } from '../schema/present-members.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import { BatchResultSchema, BatchSubmissionSchema, TaskSubmissionSchema } from '../schema/submission.ts';
import { loadServices } from '../services/services.ts';
import {
  type BoundDraft,
  bindDraft,
  type Came,
  draftTask,
  GROUP_CLOSED,
  NOT_ACCEPTED,
  taskOf,
  wayOf,
} from '../submission/submission.ts';
import { UNAVAILABLE } from '../upstream/upstream.ts';

const route = createRoute({
  method: 'post',
  path: '/api/tasks/batch',
  operationId: 'submitTasks',
  tags: ['tasks'],
  summary: 'Submit up to 1,000 tasks',
  description:
    'Each task is accepted or refused by itself, in the order sent. With `idempotencyKey` each is submitted once, however ' +
    'often the batch is sent.',
  middleware: [readsJson(MAX_BATCH_BODY_BYTES, [['tasks', '*', 'payload']])],
  request: { body: { required: true, content: { 'application/json': { schema: BatchSubmissionSchema } } } },
  responses: answers(
    { 202: jsonAnswer(BatchResultSchema, 'An id or a problem for each task.') },
    'invalid-request',
    'malformed-body',
    'body-too-large',
    'unsupported-media-type',
    'storage-full',
  ),
});

const checkSubmission = checkPresent(TaskSubmissionSchema);

type Item = { readonly index: number } & (
  | { readonly task: NewTask }
  | { readonly keyed: KeyedTask; readonly draft: BoundDraft }
  /** Of an upload that made its task before. */
  | { readonly earlier: OnceOutcome }
  | { readonly problem: ProblemDocument }
);

export function addBatch(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const caller = c.get('principal');
    const { subject } = caller;
    const now = Date.now();
    if (c.get('headers').has('idempotency-key')) {
      const reason = 'belongs to a single task; give each task of a batch its idempotencyKey';
      return refuse('invalid-request', { detail: `Idempotency-Key: ${reason}` });
    }
    const { tasks: submissions, group: named } = c.req.valid('json');
    const entered = await enterGroups(c, subject, named, submissions);
    if (!entered.ok) return refuse(entered.refusal.code, entered.refusal.details);
    const { stores, group } = entered;
    const names = serviceNamesIn(submissions);
    await loadServices(c, names);
    const beyond = await beyondQuotas(runtime, subject, submissions, namesFor(caller, names));
    const around: Around = {
      caller,
      now,
      stores,
      group: group?.id,
      came: { way: wayOf(c.get('headers')), maxPayloadBytes: bodyLimit(runtime.config.bodies), caller },
      idKey: await idKeyOf(runtime),
    };
    const items = await Promise.all(
      submissions.map((submission, index) => beyond.get(index) ?? itemOf(runtime, submission, index, around)),
    );
    const [accepted, outcomes] = await Promise.all([
      acceptTasks(
        runtime,
        items.flatMap((item) => ('task' in item ? [item.task] : [])),
      ),
      acceptOnce(
        runtime,
        subject,
        items.flatMap((item) => ('keyed' in item ? [item.keyed] : [])),
        now,
      ),
    ]);
    const [nextAccepted, nextOutcome] = [accepted.values(), outcomes.values()];
    const results = items.map((item) => {
      if ('problem' in item) return item;
      const { index } = item;
      if ('task' in item) {
        const answer = nextAccepted.next().value ?? false;
        if (answer === 'group-closed') return { index, problem: documentOf(GROUP_CLOSED) };
        if (!answer) return { index, problem: documentOf(NOT_ACCEPTED) };
        return { index, ...acceptedTask(runtime, item.task, now) };
      }
      const outcome = 'earlier' in item ? item.earlier : (nextOutcome.next().value ?? { kind: 'unavailable' as const });
      if ('keyed' in item && isOfAnother(outcome, item.keyed.newId)) {
        beside(c, dropPlaced(runtime, item.draft, item.keyed.newId));
      }
      const answer = answerOfOutcome(runtime, outcome, now);
      return { index, ...(answer.ok ? answer.accepted : { problem: documentOf(answer.refusal) }) };
    });
    if (group === undefined) return answerJson({ results }, 202);
    // What was refused may be sent again, and join it.
    const closes = group.closes && !results.some((result) => 'problem' in result);
    const closed = closes ? await changeGroup(runtime, subject, group.id, 'close') : undefined;
    if (closed === UNAVAILABLE) return refuse(NOT_CLOSED.code, NOT_CLOSED.details);
    return answerJson({ results, group: { id: group.id, closed: closed !== undefined } }, 202);
  });
}

/** The items that their services' quotas do not let in: the last of each service. */
async function beyondQuotas(
  runtime: Runtime,
  subject: string,
  submissions: readonly unknown[],
  names: readonly string[],
): Promise<Map<number, Item>> {
  const limited = names.filter((name) => hasQuota(runtime, name));
  const refused = await Promise.all(
    limited.map(async (name): Promise<[number, Item][]> => {
      const indices = submissions.flatMap((submission, index) => (serviceNameIn(submission) === name ? [index] : []));
      const admitted = await admitTasks(runtime, subject, name, indices.length);
      if (admitted === undefined) return [];
      const problem = documentOf(admitted.refusal);
      return indices.slice(admitted.granted).map((index) => [index, { index, problem }]);
    }),
  );
  return new Map(refused.flat());
}

/** What all items of a batch have in common. */
interface Around {
  readonly caller: Caller;
  readonly now: number;
  /** By group; undefined: those of none. */
  readonly stores: ReadonlyMap<string | undefined, StoreFor>;
  /** Of the batch as a whole. */
  readonly group: string | undefined;
  readonly came: Came;
  readonly idKey: MacKey;
}

/** As far as they are names: each item is checked by itself. */
function serviceNamesIn(submissions: readonly unknown[]): string[] {
  return [...new Set(submissions.map(serviceNameIn))].filter((name) => name !== undefined);
}

function serviceNameIn(submission: unknown): string | undefined {
  const name = (submission as { service?: unknown } | null)?.service;
  return typeof name === 'string' ? name : undefined;
}

async function itemOf(
  runtime: Runtime,
  submission: unknown,
  index: number,
  { caller, now, stores, group, came, idKey }: Around,
): Promise<Item> {
  const checked = checkSubmission(submission);
  if (!checked.success) {
    const details = invalidRequest(checked.error.issues, 'body');
    return { index, problem: documentOf({ code: 'invalid-request', details }) };
  }
  const own = checked.data;
  if (group !== undefined && own.group !== undefined && own.group !== group) {
    const reason = 'differs from the group of the batch; leave it out';
    const details = { detail: `/group: ${reason}`, errors: [{ field: '/group', reason }] };
    return { index, problem: documentOf({ code: 'invalid-request', details }) };
  }
  const said = group === undefined ? own : { ...own, group };
  const notForToken = refusalOfServices(caller, said.service, ...(said.fallback ?? []));
  if (notForToken !== undefined) return { index, problem: documentOf(notForToken) };
  const { subject } = caller;
  const drafted = draftTask(runtime.services.all, said, now, came);
  if (!drafted.ok) return { index, problem: documentOf(drafted.refusal) };
  const bound = await bindDraft(runtime, subject, drafted.draft);
  if (!bound.ok) return { index, problem: documentOf(bound.refusal) };
  const chosen = stores.get(said.group) ?? { ok: false, refusal: STORAGE_FULL };
  if (!chosen.ok) return { index, problem: documentOf(chosen.refusal) };
  const ownId = await mintTaskId(idKey, subject, now, chosen.store);
  const { idempotencyKey: key } = said;
  const fields = () => fieldsOf(said);
  const upload = said.payloadUpload;
  const placed = await placePayload(runtime, { draft: bound.draft, id: ownId, subject, fields, upload });
  if (!placed.ok) return { index, problem: documentOf(placed.refusal) };
  const { draft, id: newId, earlier } = placed;
  if (earlier !== undefined && earlier !== 'unrecorded') {
    return { index, earlier: { kind: 'replayed', id: newId, status: earlier } };
  }
  if (key === undefined) {
    return { index, task: taskOf(draft, newId, subject, earlier === undefined ? now : taskCreatedAt(newId)) };
  }
  const taskAs = (id: string, createdAt: number) => taskOf(draft, id, subject, createdAt);
  return { index, keyed: { key, fields: await fields(), newId, taskAs }, draft };
}
