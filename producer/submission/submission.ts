/**
 * From a checked submission to the task that is sent: the service's defaults, the task's own requirements,
 * and the refusals that need both. Pure; the id, the owner and the clock are handed in.
 */
import { ownerOf, payloadKey, uploadKey } from '../../shared/bodies/object-key.ts';
import { type FlowOfTask, flowName } from '../../shared/flow/flow.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import type { ServiceDefinition, Services } from '../../shared/service/definition.ts';
import type { TaskRequest } from '../../shared/task/request.ts';
import type { StoredBody } from '../../shared/task/stored-body.ts';
import { traceFields } from '../../shared/trace/context.ts';
import type { BoundHook, Hook } from '../../shared/webhook/hook.ts';
import type { Refusal } from '../answer/refusal.ts';
import { type Limited, thereAre } from '../caller/limited-token.ts';
import { hopsField } from '../edge/hops.ts';
import { inlineContent } from '../json/inline-content.ts';
import { notAsText, typedBody } from '../json/large-json.ts';
import type { LargeValue } from '../json/large-value.ts';
import type { Runtime } from '../runtime.ts';
import type { TaskSubmission } from '../schema/submission.ts';
import { bindHook } from './completion-hook.ts';
import { type Timing, timesOf, timingOf } from './start-time.ts';
import { fitToMessage, MAX_REST_BYTES, mayBeLong, restBytes } from './task-size.ts';

export type TaskDraft = Omit<NewTask, 'id' | 'subject' | 'deadlineAt' | 'runAt' | 'onComplete'> & {
  readonly timing: Timing;
  readonly flow?: FlowOfTask;
  readonly hook?: Hook;
};

/** A draft whose hook, if it has one, is checked and has its owner's name: `bindHook`. */
export type BoundDraft = TaskDraft & { readonly onComplete?: BoundHook };

export type Drafted =
  | { readonly ok: true; readonly draft: TaskDraft }
  | { readonly ok: false; readonly refusal: Refusal };

const PAYLOAD_FIELDS = { value: '/payload', base64: '/payloadBase64' };

/** Neither a queue nor the database took the task for certain (rule R19). */
export const NOT_ACCEPTED: Refusal = {
  code: 'unavailable',
  details: {
    detail:
      'The task was not accepted for certain: it may still run. Repeat it with the same idempotency key and it stays ' +
      'one task; a repeat without a key may run twice.',
    retryAfterSeconds: 5,
  },
};

/** For certain: nothing was sent. */
export const GROUP_CLOSED: Refusal = {
  code: 'group-closed',
  details: {
    detail: 'The group is closed and takes no more tasks; nothing was submitted. Name another group.',
    errors: [{ field: '/group', reason: 'is closed' }],
  },
};

/** What a task may say instead of its service. */
type Settings = Pick<
  TaskSubmission,
  | 'flow'
  | 'retry'
  | 'delaySeconds'
  | 'runAt'
  | 'deadline'
  | 'ttlSeconds'
  | 'deadlineSeconds'
  | 'labels'
  | 'ref'
  | 'onComplete'
  | 'group'
>;

/** What a submission came with. */
export interface Came {
  /** Of the request that it came in: the same for all tasks of a batch. */
  readonly way?: RequestWay;
  /** What is larger than a message takes must be placed before the task is sent (`place-payload.ts`). */
  readonly maxPayloadBytes?: number;
  /** The payload, when it lies in the bucket already. */
  readonly large?: LargeValue | undefined;
  /** Whose token it is. */
  readonly caller?: Limited;
}

type RequestWay = Pick<TaskRequest, 'hops' | 'traceparent' | 'tracestate'>;

/** What a task keeps of the way of its submission. */
export function wayOf(headers: Headers | ReadonlyMap<string, string>): RequestWay {
  return { ...hopsField(headers), ...traceFields(headers) };
}

export function draftTask(
  services: Services,
  submission: TaskSubmission,
  now: number,
  { way, maxPayloadBytes, large, caller }: Came = {},
): Drafted {
  const { payload, payloadBase64, payloadUpload, contentType } = submission;
  const inline = inlineContent({ value: payload, base64: payloadBase64, contentType }, PAYLOAD_FIELDS, maxPayloadBytes);
  if (!inline.ok) return inline;
  const sources = [inline.content, payloadUpload, large].filter((each) => each !== undefined);
  if (sources.length > 1) {
    const field = payloadUpload === undefined ? '/payloadBase64' : '/payloadUpload';
    return invalid(field, 'cannot stand beside another payload; send one of them');
  }
  const storedBody = large === undefined ? undefined : typedBody(large, contentType);
  if (large !== undefined && storedBody === undefined) return { ok: false, refusal: notAsText(large.name) };
  const request: TaskRequest = {
    ...carriedFields(submission),
    ...(inline.content === undefined ? {} : { body: inline.content }),
    ...(storedBody !== undefined && { storedBody }),
    ...(payloadUpload !== undefined && { storedBody: notYetPlaced(payloadUpload, contentType) }),
    ...way,
    ...requirementsOf(submission),
    ...(submission.priority !== 2 && { priority: submission.priority }),
  };
  return draftOf(services, submission.service, request, { own: submission, now, caller });
}

/** What a request has under the name that it has in a submission. */
const CARRIED = ['method', 'path', 'headers', 'timeoutSeconds', 'fallback', 'fallbackOn', 'answers'] as const;

/** Those that are said. One at a time: to spread a field that may be there costs more than to look for it. */
function carriedFields(submission: TaskSubmission): Pick<TaskRequest, (typeof CARRIED)[number]> {
  const fields: Record<string, unknown> = {};
  for (const name of CARRIED) if (submission[name] !== undefined) fields[name] = submission[name];
  return fields;
}

interface Around {
  readonly own?: Settings;
  /** Matters where `own` says when. */
  readonly now?: number;
  /** Nobody, where Tasklane itself submits. */
  readonly caller?: Limited | undefined;
}

/** The draft of a request that is complete: a submission's, or one of the synchronous route. */
export function draftOf(
  services: Services,
  name: string,
  request: TaskRequest,
  { own = {}, now = 0, caller = {} }: Around,
): Drafted {
  const service = Object.hasOwn(services, name) ? services[name] : undefined;
  if (service === undefined) return { ok: false, refusal: unknownService(services, name, caller) };
  if ((request.body ?? request.storedBody) !== undefined && (request.method ?? service.method) === 'GET') {
    return invalid('/payload', 'a GET carries no body; choose another method or leave it out');
  }
  const taken = headerOfService(service, request.headers);
  if (taken !== undefined) return invalid(`/headers/${taken}`, 'is set by the service; leave it out');
  if (request.timeoutSeconds !== undefined && request.timeoutSeconds > service.timeoutSeconds) {
    return invalid('/timeoutSeconds', `may be at most the service's, which is ${service.timeoutSeconds}`);
  }
  const { fallback = service.fallback, fallbackOn = service.fallbackOn } = request;
  const unknown = fallback?.findIndex((other) => other === name || !Object.hasOwn(services, other)) ?? -1;
  if (unknown >= 0) return invalid(`/fallback/${unknown}`, 'is not another configured service');
  const timed = timingOf(own, service.deadlineSeconds, now);
  if (!timed.ok) return timed;
  const { retry, labels, ref, group, flow } = own;
  // A group tells of its end once: its tasks have the hooks of their own only.
  const { onComplete: hook = group === undefined ? service.onComplete : undefined } = own;
  const policy = {
    maxAttempts: retry?.maxAttempts ?? service.retry.maxAttempts,
    baseSeconds: retry?.baseSeconds ?? service.retry.baseSeconds,
    capSeconds: retry?.capSeconds ?? service.retry.capSeconds,
  };
  const draft: TaskDraft = {
    service: name,
    policy,
    timing: timed.timing,
    ...(labels !== undefined && { labels }),
    ...(ref !== undefined && { ref }),
    ...(group !== undefined && { group }),
    ...(hook !== undefined && { hook }),
    ...(flow !== undefined && { flow }),
    request:
      fallback === undefined ? request : { ...request, fallback, ...(fallbackOn !== undefined && { fallbackOn }) },
  };
  if (!mayBeLong(draft)) return { ok: true, draft };
  const bytes = restBytes(draft);
  return bytes <= MAX_REST_BYTES ? { ok: true, draft } : { ok: false, refusal: tooMuchBeside(bytes) };
}

/** No queue would take its message: it would go by the database, in a batch with all tasks that are sent with it. */
function tooMuchBeside(bytes: number): Refusal {
  const detail =
    `What the task says beside its payload has ${bytes} bytes; the limit is ${MAX_REST_BYTES}. ` +
    'Shorten answers, requires, headers or labels; rules about answers may stand in the definition of the service.';
  return { code: 'body-too-large', details: { detail } };
}

type Bound = { readonly ok: true; readonly draft: BoundDraft } | { readonly ok: false; readonly refusal: Refusal };

/** What of a draft needs to know the deployment and the owner: its hook. At once, if it has none. */
export function bindDraft(runtime: Runtime, subject: string, draft: TaskDraft): Bound | Promise<Bound> {
  return draft.hook === undefined ? { ok: true, draft } : bindHookOf(runtime, subject, draft);
}

async function bindHookOf(runtime: Runtime, subject: string, draft: TaskDraft): Promise<Bound> {
  const bound = await bindHook(runtime, subject, draft.hook);
  if (!bound.ok) return bound;
  return { ok: true, draft: { ...draft, ...(bound.hook !== undefined && { onComplete: bound.hook }) } };
}

/** Keys of submitters do not meet. */
function taskFlow({ key, ...limits }: FlowOfTask, subject: string): NonNullable<TaskRequest['flow']> {
  return { name: flowName(subject, key), ...limits };
}

export function taskOf(draft: BoundDraft, id: string, subject: string, now: number): NewTask {
  const { timing, request, flow, hook: _, ...rest } = draft;
  const own = withOwnPayload(request, id);
  const complete = flow === undefined ? own : { ...own, flow: taskFlow(flow, subject) };
  return fitToMessage({ id, subject, ...rest, request: complete, ...timesOf(timing, now) });
}

/** A repeated submission is sent under the id of the first, whose payload is there already and is the same. */
function withOwnPayload(request: TaskRequest, id: string): TaskRequest {
  const { storedBody } = request;
  if (storedBody === undefined || ownerOf(storedBody.key)?.kind !== 'task') return request;
  return { ...request, storedBody: { ...storedBody, key: payloadKey(id) } };
}

function notYetPlaced(upload: string, type = ''): StoredBody {
  return { key: uploadKey(upload), type, bytes: 0, etag: '' };
}

function requirementsOf({ affinityKey, requires }: TaskSubmission): Pick<TaskRequest, 'requirements'> {
  if (affinityKey === undefined && requires === undefined) return {};
  return { requirements: { ...(affinityKey === undefined ? {} : { affinityKey }), ...requires } };
}

function headerOfService(service: ServiceDefinition, headers: TaskSubmission['headers']): string | undefined {
  if (headers === undefined) return undefined;
  const set = new Set(Object.keys(service.headers).map((name) => name.toLowerCase()));
  return Object.keys(headers).find((name) => set.has(name.toLowerCase()));
}

function unknownService(services: Services, name: string, caller: Limited): Refusal {
  const reason = `there is no service "${name}"`;
  return {
    code: 'unknown-service',
    details: {
      detail: `There is no service "${name}". ${thereAre(services, caller)} Add one with PUT /api/services/${name}, or under [vars.SERVICES.${name}] in wrangler.toml.`,
      errors: [{ field: '/service', reason }],
    },
  };
}

function invalid(field: string, reason: string): Drafted {
  const details = { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
