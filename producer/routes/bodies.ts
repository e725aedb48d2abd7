/**
 * `/api/bodies/:key`: what signed links lead to. They need no token, and do what they were signed for, on one body,
 * until they expire. A body is uploaded once: what a task may have taken does not change any more.
 */
import { createRoute } from '@hono/zod-openapi';
import type { LinkClaims } from '../../shared/bodies/link.ts';
import { ownerOf } from '../../shared/bodies/object-key.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { claimsOf, isLinkOf, type LinkTerms } from '../bodies/links.ts';
import { sendObject } from '../bodies/send-body.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import type { Runtime } from '../runtime.ts';
import {
  BodyParamsSchema,
  CompletionSchema,
  GetQuerySchema,
  PartParamsSchema,
  PartQuerySchema,
  PartViewSchema,
  PutQuerySchema,
  UploadedSchema,
} from '../schema/body.ts';
import { answers, BODY_PROBLEMS, BYTES_BODY, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const PATH = '/api/bodies/{key}';

const get = createRoute({
  method: 'get',
  path: PATH,
  operationId: 'getBody',
  tags: ['tasks'],
  summary: 'Download a body by its link',
  description: 'Streams it; `Range` is honoured.',
  request: { params: BodyParamsSchema, query: GetQuerySchema },
  responses: answers(
    { 200: { description: 'The body, as a file.' }, 206: { description: 'The range of it that was asked for.' } },
    'invalid-request',
    'link-not-valid',
    'body-not-found',
  ),
});

const put = createRoute({
  method: 'put',
  path: PATH,
  operationId: 'putBody',
  tags: ['tasks'],
  summary: 'Upload a body by its link',
  description: 'Exactly as many bytes as the upload was asked for, of any media type.',
  request: { params: BodyParamsSchema, query: PutQuerySchema, body: BYTES_BODY },
  responses: answers(
    { 200: jsonAnswer(UploadedSchema, 'It is there.') },
    'invalid-request',
    'link-not-valid',
    'upload-complete',
    'body-too-large',
  ),
});

const putPart = createRoute({
  method: 'put',
  path: `${PATH}/parts/{part}`,
  operationId: 'putPart',
  tags: ['tasks'],
  summary: 'Upload a part of a body by its link',
  description: 'May be repeated until the upload is completed; the last one counts.',
  request: { params: PartParamsSchema, query: PartQuerySchema, body: BYTES_BODY },
  responses: answers(
    { 200: jsonAnswer(PartViewSchema, 'Its etag, which completes the upload.') },
    'invalid-request',
    'link-not-valid',
    'body-not-found',
    'body-too-large',
  ),
});

const complete = createRoute({
  method: 'post',
  path: `${PATH}/complete`,
  operationId: 'completeUpload',
  tags: ['tasks'],
  summary: 'Complete an upload in parts',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { params: BodyParamsSchema, query: PartQuerySchema, body: jsonBody(CompletionSchema) },
  responses: answers(
    { 200: jsonAnswer(UploadedSchema, 'It is there.') },
    ...BODY_PROBLEMS,
    'link-not-valid',
    'body-not-found',
  ),
});

export function addBodies(app: App): void {
  app.openapi(get, async (c) => {
    const { key } = c.req.valid('param');
    const { expires, signature, task, run } = c.req.valid('query');
    const claims = claimsOf('get', key, expires);
    const isBackends = task !== undefined && run !== undefined;
    const isGood = isBackends
      ? await isLinkOfBackend(c.env.runtime, task, run, claims, signature)
      : await isLinkOf(c.env.runtime, claims, signature);
    if (isGood === UNAVAILABLE) return unavailable('The link cannot be checked at the moment.');
    const bucket = bucketFor(c.env.runtime, claims, isGood);
    if (bucket instanceof Response) return bucket;
    return asked(() => sendObject(bucket, key, c.req.raw));
  });

  app.openapi(put, async (c) => {
    const { key } = c.req.valid('param');
    const { expires, signature, bytes, type } = c.req.valid('query');
    const bucket = await checked(c.env.runtime, 'put', key, expires, { bytes, type }, signature);
    if (bucket instanceof Response) return bucket;
    const wrong = lengthRefusal(c.req.raw, bytes);
    if (wrong !== undefined) return wrong;
    const options = type === undefined ? {} : { httpMetadata: { contentType: type } };
    return asked(async () => {
      // It may have been completed by a request whose answer was lost.
      const known = await bucket.head(key);
      const put = () => bucket.put(key, bodyOf(c.req.raw, bytes), { ...options, onlyIf: { etagDoesNotMatch: '*' } });
      const object = known === null ? await put() : null;
      if (object !== null) return answerJson({ bytes: object.size, etag: object.etag });
      await c.req.raw.body?.cancel();
      return refuse('upload-complete', {
        detail: `The body is there already, with ${(known ?? object)?.size ?? bytes} bytes.`,
      });
    });
  });

  app.openapi(putPart, async (c) => {
    const { key, part } = c.req.valid('param');
    const { expires, signature, bytes, upload } = c.req.valid('query');
    const bucket = await checked(c.env.runtime, 'part', key, expires, { bytes, upload, part }, signature);
    if (bucket instanceof Response) return bucket;
    const wrong = lengthRefusal(c.req.raw, bytes);
    if (wrong !== undefined) return wrong;
    return asked(async () => {
      const uploaded = await bucket.resumeMultipartUpload(key, upload).uploadPart(part, bodyOf(c.req.raw, bytes));
      return answerJson({ part, etag: uploaded.etag });
    });
  });

  app.openapi(complete, async (c) => {
    const { key } = c.req.valid('param');
    const { expires, signature, bytes, upload } = c.req.valid('query');
    const bucket = await checked(c.env.runtime, 'complete', key, expires, { bytes, upload }, signature);
    if (bucket instanceof Response) return bucket;
    const parts = c.req.valid('json').parts.map(({ part, etag }) => ({ partNumber: part, etag }));
    return asked(async () => {
      const known = await bucket.head(key);
      if (known !== null) return answerJson({ bytes: known.size, etag: known.etag });
      const object = await completed(bucket, key, upload, parts);
      if (object === undefined)
        return refuse('invalid-request', { detail: '/parts: are not all of its parts, with their etags' });
      if (object.size === bytes) return answerJson({ bytes: object.size, etag: object.etag });
      await bucket.delete(key);
      const detail = `/parts: come to ${object.size} bytes, and the upload was asked for with ${bytes}; ask for another`;
      return refuse('invalid-request', { detail });
    });
  });
}

async function checked(
  runtime: Runtime,
  action: LinkClaims['action'],
  key: string,
  expires: number,
  terms: LinkTerms,
  signature: string,
): Promise<R2Bucket | Response> {
  const claims = claimsOf(action, key, expires, terms);
  return bucketFor(runtime, claims, await isLinkOf(runtime, claims, signature));
}

function bucketFor({ config }: Runtime, { key, expires }: LinkClaims, isGood: boolean): R2Bucket | Response {
  const isLate = expires * 1000 <= Date.now();
  if (isGood && !isLate && ownerOf(key) !== undefined && config.bodies !== undefined) return config.bodies;
  const detail = isGood && isLate ? `The link expired at ${new Date(expires * 1000).toISOString()}.` : undefined;
  return refuse('link-not-valid', {
    detail: detail ?? 'The link was not signed here, was changed, or is for something else.',
  });
}

function isLinkOfBackend(runtime: Runtime, id: string, run: number, claims: LinkClaims, signature: string) {
  const { action, key, expires } = claims;
  return callUpstream('callback', () =>
    runtime.config.callback.isBackendLink({ id, run, claims: { action, key, expires }, signature }),
  );
}

function lengthRefusal({ headers, body }: Request, bytes: number): Response | undefined {
  const said = headers.get('content-length');
  if (body === null || said === null) {
    return refuse('invalid-request', { detail: `Content-Length: send the ${bytes} bytes with their length.` });
  }
  if (Number(said) > bytes) return refuse('body-too-large', { detail: `The link is for ${bytes} bytes.` });
  return Number(said) === bytes
    ? undefined
    : refuse('invalid-request', { detail: `Content-Length: is ${said}, and the link is for ${bytes} bytes.` });
}

function bodyOf({ body }: Request, bytes: number): ReadableStream {
  if (body === null) throw new TypeError('there is no body');
  return body.pipeThrough(new FixedLengthStream(bytes));
}

/** @returns undefined when the parts are not those of the upload */
async function completed(
  bucket: R2Bucket,
  key: string,
  upload: string,
  parts: R2UploadedPart[],
): Promise<R2Object | undefined> {
  try {
    return await bucket.resumeMultipartUpload(key, upload).complete(parts);
  } catch {
    return undefined;
  }
}

async function asked(ask: () => Promise<Response>): Promise<Response> {
  const answer = await callUpstream('bucket', ask);
  return answer === UNAVAILABLE ? unavailable('The bucket does not answer at the moment.') : answer;
}
