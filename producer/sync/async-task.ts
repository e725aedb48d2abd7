/**
 * A synchronous request made into a task, when the client prefers an answer later (`Prefer:
 * respond-async`): the same method, path, headers and body, byte for byte.
 */
import type { Services } from '../../shared/service/definition.ts';
import { headersToBackend } from '../../shared/sync/forwarded-headers.ts';
import { contentFromBytes, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { TASK_METHODS } from '../../shared/task/request.ts';
import type { Refusal } from '../refusal.ts';
import { taskHeadersAmong } from '../schema/submission.ts';
import { type Drafted, draftOf } from '../submission.ts';
import type { CallRequest } from './dispatch.ts';
import { hopsField } from './hops.ts';

/** A trace is a field of its own, so that a task's attempts join it. */
const TRACE_HEADER = 'traceparent';

export function draftFromCall(services: Services, service: string, request: CallRequest): Drafted {
  const { path, body } = request;
  const method = TASK_METHODS.find((known) => known === request.method);
  if (method === undefined) {
    return refused('invalid-request', `A task cannot be made of ${request.method}; leave out respond-async.`);
  }
  if (body instanceof ReadableStream || (body?.byteLength ?? 0) > MAX_INLINE_BYTES) {
    const limit = `A task's body has at most ${MAX_INLINE_BYTES} bytes`;
    return refused('body-too-large', `${limit}; leave out respond-async, or send less.`);
  }
  const forwarded = headersToBackend(request.headers);
  const headers = taskHeadersAmong(forwarded);
  if (headers === undefined) return refused('invalid-request', 'A task cannot carry that many headers.');
  // Without one the backend gets none, as it would have at once.
  const type = request.headers.get('content-type') ?? '';
  return draftOf(services, service, {
    method,
    path,
    headers,
    ...(body !== null && body.byteLength > 0 && { body: contentFromBytes(type, new Uint8Array(body)) }),
    ...hopsField(request.headers),
    ...(forwarded[TRACE_HEADER] !== undefined && { traceparent: forwarded[TRACE_HEADER] }),
  });
}

function refused(code: Refusal['code'], detail: string): Drafted {
  return { ok: false, refusal: { code, details: { detail } } };
}
