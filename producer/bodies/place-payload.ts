/**
 * Puts the payload of a submission where its task can find it, before the task is sent: what is too large for a message
 * goes into the bucket, and an upload is taken.
 *
 * Guarantee: an upload makes one task. Which one is written into the bucket by a put that only the first can win, so a
 * repeated submission leads to the same task, and another one is refused.
 */
import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { payloadKey, takenKey, taskIdFrom, uploadKey } from '../../shared/bodies/object-key.ts';
import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import { readStatus } from '../../shared/store/read.ts';
import { isTaskIdOf } from '../../shared/task/id.ts';
import { isTerminal, RETRYABLE_STATUSES, type TaskStatus } from '../../shared/task/status.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Fields } from '../idempotency/fields.ts';
import { isInline } from '../json/inline-content.ts';
import { idKeyOf, type Runtime } from '../runtime.ts';
import type { BoundDraft } from '../submission/submission.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { storeContent } from './store-content.ts';

export interface Submitted {
  readonly draft: BoundDraft;
  /** The id that the task gets, unless its upload was taken before. */
  readonly id: string;
  readonly subject: string;
  /** What the submission says. */
  readonly fields: () => Promise<Fields>;
  readonly upload: string | undefined;
}

export type Placed =
  | {
      readonly ok: true;
      readonly id: string;
      readonly draft: BoundDraft;
      /** Where the task stands that took the upload before; `unrecorded` while it has no row. */
      readonly earlier?: TaskStatus | 'unrecorded';
    }
  | { readonly ok: false; readonly refusal: Refusal };

const UNAVAILABLE_BUCKET: Refusal = {
  code: 'unavailable',
  details: { detail: 'The payload cannot be stored at the moment. Nothing was accepted.', retryAfterSeconds: 5 },
};

/** At once, if its message takes it along. */
export function placePayload(runtime: Runtime, submitted: Submitted): Placed | Promise<Placed> {
  const { draft, id, upload } = submitted;
  const { body } = draft.request;
  if (upload === undefined && (body === undefined || isInline(body))) return { ok: true, id, draft };
  return placeInBucket(runtime, submitted);
}

async function placeInBucket(runtime: Runtime, submitted: Submitted): Promise<Placed> {
  const { draft, id, upload } = submitted;
  const { bodies } = runtime.config;
  const { body } = draft.request;
  if (bodies === undefined) return { ok: false, refusal: noBucket };
  const placed = await callUpstream('bucket', async (): Promise<Placed> => {
    if (upload !== undefined) return takeUpload(runtime, bodies, submitted, upload);
    if (body === undefined) return { ok: true, id, draft };
    return { ok: true, id, draft: withStored(draft, await storeContent(bodies, payloadKey(id), body)) };
  });
  return placed === UNAVAILABLE ? { ok: false, refusal: UNAVAILABLE_BUCKET } : placed;
}

/** What was placed under an id that no task got: of a submission that turned out to be a repeat. */
export async function dropPlaced({ config }: Runtime, { request }: BoundDraft, id: string): Promise<void> {
  if (request.storedBody?.key === payloadKey(id)) await deleteBodies(config.bodies, [payloadKey(id)]);
}

const noBucket: Refusal = {
  code: 'body-too-large',
  details: {
    detail: 'This deployment takes no uploads: it has no bucket (r2_buckets in wrangler.toml).',
  },
};

function withStored(
  { request: { body: _, ...request }, ...draft }: BoundDraft,
  storedBody: BoundDraft['request']['storedBody'],
): BoundDraft {
  return { ...draft, request: { ...request, ...(storedBody !== undefined && { storedBody }) } };
}

async function takeUpload(
  runtime: Runtime,
  bodies: R2Bucket,
  { draft, id, subject, fields }: Submitted,
  upload: string,
): Promise<Placed> {
  const isOwn = await isTaskIdOf(await idKeyOf(runtime), taskIdFrom(upload), subject);
  const object = isOwn ? await bodies.head(uploadKey(upload)) : null;
  if (object === null) return invalid('is no upload of yours, is not complete yet, or was deleted with its task');
  const placed = withStored(draft, storedBodyOf(object, draft.request.storedBody?.type || undefined));
  const said = JSON.stringify(await fields());
  const isFirst = await bodies.put(takenKey(upload), '', {
    onlyIf: { etagDoesNotMatch: '*' },
    customMetadata: { task: id, fields: said },
  });
  if (isFirst !== null) return { ok: true, id, draft: placed };
  const taken = (await bodies.head(takenKey(upload)))?.customMetadata;
  if (taken?.task === undefined) throw new Error(`${takenKey(upload)} says no task`);
  if (taken.fields !== said)
    return used(`The upload belongs to ${taken.task}, which was submitted with other settings`);
  const status = (await readStatus(runtime.config.stores.of(taken.task), taken.task))?.status;
  if (status !== undefined && isTerminal(status) && status !== 'succeeded') {
    const fix = RETRYABLE_STATUSES.includes(status)
      ? `run that again (POST /api/task/${taken.task}/retry)`
      : 'it stays so, and no other task can have its upload';
    return used(`The upload belongs to ${taken.task}, which is ${status}: ${fix}`);
  }
  return { ok: true, id: taken.task, draft: placed, earlier: status ?? 'unrecorded' };
}

function used(what: string): Placed {
  return {
    ok: false,
    refusal: { code: 'upload-used', details: { detail: `${what}. Upload it again for another task.` } },
  };
}

function invalid(reason: string): Placed {
  const field = '/payloadUpload';
  const details = { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
