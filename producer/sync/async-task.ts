/**
 * A synchronous request made into a task, when the client prefers an answer later (`Prefer:
 * respond-async`): the same method, path, headers and body, byte for byte.
 */

import type { Services } from '../../shared/service/definition.ts';
import { headersToBackend } from '../../shared/sync/forwarded-headers.ts';
import { contentFromBytes } from '../../shared/task/content.ts';
import { TASK_METHODS } from '../../shared/task/request.ts';
import type { StoredBody } from '../../shared/task/stored-body.ts';
import { traceFields } from '../../shared/trace/context.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Limited } from '../caller/limited-token.ts';
import { hopsField } from '../edge/hops.ts';
import { tooLarge } from '../json/inline-content.ts';
import { taskHeadersAmong } from '../schema/submission.ts';
import { type Drafted, draftOf } from '../submission/submission.ts';
import type { CallRequest } from './dispatch.ts';

/**
 * @param maxBytes what is larger than a message takes must be placed before the task is sent; a body that streams already is
 * @param storedBody where that lies
 */
export function draftFromCall(
  services: Services,
  service: string,
  request: CallRequest,
  maxBytes: number,
  caller: Limited,
  storedBody?: StoredBody,
): Drafted {
  const { path, body } = request;
  const method = TASK_METHODS.find((known) => known === request.method);
  if (method === undefined) {
    return refused('invalid-request', `A task cannot be made of ${request.method}; leave out respond-async.`);
  }
  if (body instanceof ArrayBuffer && body.byteLength > maxBytes) {
    return { ok: false, refusal: tooLarge(`The body has ${body.byteLength} bytes`, maxBytes) };
  }
  const forwarded = headersToBackend(request.headers);
  const headers = taskHeadersAmong(forwarded);
  if (headers === undefined) return refused('invalid-request', 'A task cannot carry that many headers.');
  // Without one the backend gets none, as it would have at once.
  const type = request.headers.get('content-type') ?? '';
  const task = {
    method,
    path,
    headers,
    ...(body instanceof ArrayBuffer && body.byteLength > 0 && { body: contentFromBytes(type, new Uint8Array(body)) }),
    ...(storedBody !== undefined && { storedBody }),
    ...hopsField(request.headers),
    ...traceFields(request.headers),
  };
  return draftOf(services, service, task, { caller });
}

function refused(code: Refusal['code'], detail: string): Drafted {
  return { ok: false, refusal: { code, details: { detail } } };
}
