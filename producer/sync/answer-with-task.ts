/**
 * The answer to a synchronous request whose client prefers one later: it becomes a task, with a body of any size that an
 * upload may have, and once for each `Idempotency-Key`.
 */
import type { Context } from 'hono';
import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { payloadKey } from '../../shared/bodies/object-key.ts';
import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import { writeBody } from '../../shared/bodies/write-body.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { MAX_UPLOAD_BYTES, type StoredBody } from '../../shared/task/stored-body.ts';
import { acceptSubmission } from '../accept/accept-submission.ts';
import { admitTasks, refuseByQuota } from '../accept/client-quota.ts';
import { refreshWaitNews } from '../accept/expectation.ts';
import { chooseStore, STORAGE_FULL } from '../accept/store-choice.ts';
import { refuse, unavailable } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { AppEnv } from '../app.ts';
import { fieldsOf } from '../idempotency/fields.ts';
import { invalidKey, readKeyHeader } from '../idempotency/key.ts';
import { tooLarge } from '../json/inline-content.ts';
import { idKeyOf } from '../runtime.ts';
import { bindDraft } from '../submission/submission.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { draftFromCall } from './async-task.ts';
import type { CallRequest } from './dispatch.ts';

/** @param wasSent a body that streams was read when a backend was asked first */
export async function answerWithTask(
  c: Context<AppEnv>,
  name: string,
  call: CallRequest,
  wasSent: boolean,
): Promise<Response> {
  const { runtime } = c.env;
  const { bodies } = runtime.config;
  const header = readKeyHeader(call.headers.get('idempotency-key') ?? undefined);
  if (!header.ok) return refused(invalidKey(header.reason));
  const limit = bodies === undefined ? MAX_INLINE_BYTES : MAX_UPLOAD_BYTES;
  const said = call.headers.get('content-length');
  const isStream = call.body instanceof ReadableStream;
  if (isStream && (bodies === undefined || wasSent || Number(said ?? 0) > limit)) {
    await call.body.cancel().catch(() => {});
    const what = said === null ? 'The body is larger than can be held' : `The body has ${said} bytes`;
    return refused(wasSent ? SENT_ALREADY : tooLarge(what, limit));
  }
  const caller = c.get('principal');
  const { subject } = caller;
  const now = Date.now();
  const admitted = await admitTasks(runtime, subject, name, 1);
  if (admitted?.granted === 0) {
    if (isStream) await call.body.cancel().catch(() => {});
    return refuseByQuota(admitted);
  }
  const store = await chooseStore(c);
  if (store === undefined) return refused(STORAGE_FULL);
  const id = await mintTaskId(await idKeyOf(runtime), subject, now, store);
  let storedBody: StoredBody | undefined;
  if (isStream && bodies !== undefined) {
    const stored = await callUpstream('bucket', () => storeStream(bodies, payloadKey(id), call, limit));
    if (stored === UNAVAILABLE) return unavailable('The body cannot be stored at the moment. Nothing was accepted.');
    if (stored === undefined) return refused(tooLarge('The body is larger than the limit', limit));
    storedBody = stored;
  }
  const drafted = draftFromCall(runtime.services.all, name, call, limit, caller, storedBody);
  if (!drafted.ok) {
    if (storedBody !== undefined) await deleteBodies(bodies, [storedBody.key]);
    return refused(drafted.refusal);
  }
  const bound = await bindDraft(runtime, subject, drafted.draft);
  if (!bound.ok) return refused(bound.refusal);
  refreshWaitNews(c, name, now);
  const { method, path } = call;
  const body =
    storedBody === undefined ? drafted.draft.request.body : { bytes: storedBody.bytes, etag: storedBody.etag };
  const fields = () => fieldsOf({ service: name, method, path, body });
  const submitted = { draft: bound.draft, id, subject, fields, upload: undefined };
  const headers = { ...admitted?.headers, 'preference-applied': 'respond-async' };
  return acceptSubmission(c, submitted, header.key, now, headers);
}

const SENT_ALREADY: Refusal = {
  code: 'body-too-large',
  details: {
    detail:
      'A body of this size cannot be sent twice, at once and as a task; leave out wait from Prefer, or respond-async.',
  },
};

/** @returns undefined when it is too large */
async function storeStream(
  bucket: R2Bucket,
  key: string,
  { body, headers }: CallRequest,
  maxBytes: number,
): Promise<StoredBody | undefined> {
  if (!(body instanceof ReadableStream)) throw new TypeError('the body does not stream');
  const type = headers.get('content-type') ?? '';
  const said = headers.get('content-length');
  if (said === null) {
    const written = await writeBody(bucket, key, body, { type, maxBytes });
    return written.ok ? written.body : undefined;
  }
  const whole = body.pipeThrough(new FixedLengthStream(Number(said)));
  const object = await bucket.put(key, whole, type === '' ? {} : { httpMetadata: { contentType: type } });
  return storedBodyOf(object, type);
}

function refused({ code, details }: Refusal): Response {
  return refuse(code, details);
}
