/**
 * Large results of backends, with the token of the attempt: `PUT /api/task/:id/result` takes one as it is,
 * `POST …/result/uploads` says where a larger one is uploaded before it is reported.
 */
import { createRoute } from '@hono/zod-openapi';
import { newResultKey } from '../../shared/bodies/object-key.ts';
import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import { writeBody } from '../../shared/bodies/write-body.ts';
import { readReportToken } from '../../shared/key/report-token.ts';
import { readBounded } from '../../shared/sync/bounded-read.ts';
import { contentFromBytes, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { TASK_ID_PATTERN } from '../../shared/task/id.ts';
import { MAX_UPLOAD_BYTES } from '../../shared/task/stored-body.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { App } from '../app.ts';
import { mayReport, reportLarge, type Stored } from '../bodies/large-result.ts';
import { uploadOf } from '../bodies/links.ts';
import { taskNotFound } from '../caller/ownership.ts';
import { bearerToken } from '../edge/presented-token.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { bodyLimit, tooLarge } from '../json/inline-content.ts';
import { bodyWithoutSecrets, packedResult, withoutSecrets } from '../reports/reported-secrets.ts';
import { UploadSchema, UploadViewSchema } from '../schema/body.ts';
import { answers, BODY_PROBLEMS, BYTES_BODY, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { ReportAnswerSchema } from '../schema/report.ts';
import { ContentTypeSchema } from '../schema/submission.ts';
import { TaskParamsSchema } from '../schema/task.ts';
import { answerReport } from '../upstream/ledger-answer.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { carriesToken } from './callback.ts';

const put = createRoute({
  method: 'put',
  path: '/api/task/{id}/result',
  operationId: 'putResult',
  tags: ['backends'],
  summary: 'Report success with a result as it is',
  description:
    'The body is the result, of the media type that it says; nothing is wrapped into JSON. Up to 64 MB where the deployment ' +
    'has a bucket. The task has succeeded then. Safe to repeat.',
  middleware: [carriesToken],
  request: { params: TaskParamsSchema, body: BYTES_BODY },
  responses: answers(
    { 200: jsonAnswer(ReportAnswerSchema, 'Taken, or known already.') },
    'invalid-request',
    'body-too-large',
    'unsupported-media-type',
    'task-not-found',
    'stale-attempt',
    'task-finished',
  ),
});

const createUpload = createRoute({
  method: 'post',
  path: '/api/task/{id}/result/uploads',
  operationId: 'createResultUpload',
  tags: ['backends'],
  summary: 'Ask for an upload of a result',
  description: 'Links for a result of up to 5 GB. Upload it, then report success with `resultUpload`.',
  middleware: [carriesToken, readsJson(MAX_TASK_BODY_BYTES)],
  request: { params: TaskParamsSchema, body: jsonBody(UploadSchema) },
  responses: answers(
    { 201: jsonAnswer(UploadViewSchema, 'Where to upload it.') },
    ...BODY_PROBLEMS,
    'task-not-found',
    'stale-attempt',
    'task-finished',
  ),
});

export function addResultUpload(app: App): void {
  app.openapi(put, async (c) => {
    const { runtime } = c.env;
    const { bodies, callback } = runtime.config;
    const { id } = c.req.valid('param');
    const { token, holder } = readReportToken(bearerToken(c.get('headers')) ?? '');
    if (!TASK_ID_PATTERN.test(id)) return taskNotFound();
    const type = c.req.header('content-type') ?? 'application/octet-stream';
    if (!ContentTypeSchema.safeParse(type).success) {
      return refuse('invalid-request', { detail: 'Content-Type: a media type looks like text/plain' });
    }
    if (/[^\s,]/.test((c.req.header('content-encoding') ?? '').replaceAll(/identity/gi, ''))) {
      return refuse('unsupported-media-type', { detail: 'Send the result without Content-Encoding.' });
    }
    const limit = bodies === undefined ? MAX_INLINE_BYTES : MAX_UPLOAD_BYTES;
    const said = c.req.header('content-length');
    if (Number(said ?? 0) > limit) return refused(tooLarge(`The result has ${said} bytes`, limit));
    const read = await readBounded(c.req.raw, MAX_INLINE_BYTES);
    if ('whole' in read) {
      const said = { status: 'succeeded', result: contentFromBytes(type, read.whole) } as const;
      const packed = packedResult(holder, said);
      if (packed !== undefined) return refuse('invalid-request', { detail: packed });
      const report = await withoutSecrets(runtime.config, holder, token, said);
      if (report === UNAVAILABLE) return answerReport(c, id, UNAVAILABLE);
      return answerReport(c, id, await callUpstream('callback', () => callback.acceptCallback({ id, token, report })));
    }
    const { stream } = read;
    if (bodies === undefined) {
      await stream.cancel();
      return refused(tooLarge('The result is larger than the limit', limit));
    }
    const store = async (key: string): Promise<Stored> => {
      // What is looked through may change its length.
      if (holder === undefined && said !== undefined) {
        const body = stream.pipeThrough(new FixedLengthStream(Number(said)));
        const object = await bodies.put(key, body, { httpMetadata: { contentType: type } });
        return { ok: true, body: storedBodyOf(object) };
      }
      const bytes = stream.pipeThrough(new IdentityTransformStream());
      const clean = await bodyWithoutSecrets(runtime.config, holder, token, { type, body: bytes });
      if (clean === UNAVAILABLE) throw new Error('the consumer that holds the secrets does not answer');
      const written = await writeBody(bodies, key, clean.body, { type: clean.type, maxBytes: limit });
      return written.ok
        ? written
        : { ok: false, refusal: refused(tooLarge('The result is larger than the limit', limit)) };
    };
    return answerReport(c, id, await reportLarge(runtime, { id, token, holder }, store));
  });

  app.openapi(createUpload, async (c) => {
    const { runtime } = c.env;
    const { bodies } = runtime.config;
    const { id } = c.req.valid('param');
    const { token, holder } = readReportToken(bearerToken(c.get('headers')) ?? '');
    const wanted = c.req.valid('json');
    if (!TASK_ID_PATTERN.test(id)) return taskNotFound();
    if (bodies === undefined) return refused(tooLarge(`The result has ${wanted.bytes} bytes`, bodyLimit(bodies)));
    if (holder !== undefined) return refused(CANNOT_BE_LOOKED_THROUGH);
    const may = await mayReport(runtime, { id, token });
    if (may === UNAVAILABLE || !may.ok) return answerReport(c, id, may);
    const key = newResultKey(id);
    const view = await callUpstream('bucket', () => uploadOf(runtime, bodies, key, key, wanted, Date.now()));
    return view === UNAVAILABLE ? unavailable('The bucket does not answer at the moment.') : answerJson(view, 201);
  });
}

/** An upload goes past whoever could take a secret out of it. */
const CANNOT_BE_LOOKED_THROUGH: Refusal = {
  code: 'invalid-request',
  details: {
    detail:
      'The call carried a secret (a key or a secret header), and what is uploaded by link cannot be looked through for it: ' +
      'send the result with PUT /api/task/ID/result, up to 64 MB.',
  },
};

function refused({ code, details }: Refusal): Response {
  return refuse(code, details);
}
