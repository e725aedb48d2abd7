/** `POST /api/uploads`: where a payload is uploaded that is too large for JSON, before its task is submitted. */
import { createRoute } from '@hono/zod-openapi';
import { uploadIdFrom, uploadKey } from '../../shared/bodies/object-key.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { uploadOf } from '../bodies/links.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { bodyLimit, tooLarge } from '../json/inline-content.ts';
import { idKeyOf } from '../runtime.ts';
import { UploadSchema, UploadViewSchema } from '../schema/body.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const route = createRoute({
  method: 'post',
  path: '/api/uploads',
  operationId: 'createUpload',
  tags: ['tasks'],
  summary: 'Ask for an upload',
  description:
    'Links that need no token, for a payload of up to 5 GB. Upload it, then submit its task with `payloadUpload`. What no task ' +
    'takes within a day is deleted.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { body: jsonBody(UploadSchema) },
  responses: answers({ 201: jsonAnswer(UploadViewSchema, 'Where to upload it.') }, ...BODY_PROBLEMS),
});

export function addUploads(app: App): void {
  app.openapi(route, async (c) => {
    const { runtime } = c.env;
    const { bodies } = runtime.config;
    const wanted = c.req.valid('json');
    if (bodies === undefined) {
      const { code, details } = tooLarge(`The upload has ${wanted.bytes} bytes`, bodyLimit(bodies));
      return refuse(code, details);
    }
    const now = Date.now();
    const id = uploadIdFrom(await mintTaskId(await idKeyOf(runtime), c.get('principal').subject, now, 0));
    const view = await callUpstream('bucket', () => uploadOf(runtime, bodies, id, uploadKey(id), wanted, now));
    return view === UNAVAILABLE ? unavailable('The bucket does not answer at the moment.') : answerJson(view, 201);
  });
}
