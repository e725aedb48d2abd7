/**
 * A payload that lies in the bucket, on its way to the backend: streamed as the body of the request, or as a link in
 * `Task-Payload-Url` that the backend fetches when it likes.
 */
import { backendLinkPath, type LinkClaims, signatureOf } from '../../../shared/bodies/link.ts';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import type { ServiceDefinition } from '../../../shared/service/definition.ts';
import type { StoredBody } from '../../../shared/task/stored-body.ts';
import type { Call } from '../call.ts';
import type { BodiesEnv, TargetEnv } from '../call-env.ts';

/** It was deleted, or never uploaded: another attempt would not find it either. */
export class PayloadMissingError extends Error {
  override readonly name = 'PayloadMissingError';
}

export const NO_BUCKET =
  'The payload lies in a bucket, and none is bound to this consumer as BODIES; bind it as r2_buckets in wrangler.toml.';

export interface StoredPayload {
  readonly hasBody: boolean;
  /** What is added to a request, each time that it is sent. */
  prepare(init: RequestInit): Promise<RequestInit>;
}

/** @returns undefined where no bucket is bound */
export function storedPayload(
  env: BodiesEnv & Pick<TargetEnv, 'publicUrl'>,
  { bodies, callbackTimeoutSeconds, timeoutSeconds }: ServiceDefinition,
  call: Call,
  stored: StoredBody,
): StoredPayload | undefined {
  const { bodies: bucket } = env;
  if (bucket === undefined) return undefined;
  if (bodies !== 'link') return { hasBody: true, prepare: (init) => withBody(bucket, stored, init) };
  // As long as the backend may work on the attempt.
  const until = Math.min(call.state.deadlineAt, Date.now() + (timeoutSeconds + callbackTimeoutSeconds) * 1000);
  const claims: LinkClaims = { action: 'get', key: stored.key, expires: Math.ceil(until / 1000) };
  return {
    hasBody: false,
    async prepare(init) {
      const signature = await signatureOf(await importMacKey(call.callbackToken), claims);
      const headers = {
        ...(init.headers as Record<string, string>),
        'task-payload-url': env.publicUrl + backendLinkPath(claims, call.id, call.state.run, signature),
        'task-payload-bytes': String(stored.bytes),
        ...(stored.type !== '' && { 'task-payload-type': stored.type }),
      };
      return { ...init, headers };
    },
  };
}

async function withBody(bucket: R2Bucket, { key, type }: StoredBody, init: RequestInit): Promise<RequestInit> {
  const object = await bucket.get(key);
  if (object === null) throw new PayloadMissingError('the payload is not in the bucket any more');
  // Its length is known, so the backend is told one.
  const body = object.body.pipeThrough(new FixedLengthStream(object.size));
  const headers = { ...(init.headers as Record<string, string>), ...(type !== '' && { 'content-type': type }) };
  return { ...init, headers, body };
}
