import { describe, expect, it } from 'vitest';
import { MAX_TASK_BODY_BYTES } from '../../../producer/json/body.ts';
import { serve } from '../../../producer/serve.ts';
import { MAX_INLINE_BYTES } from '../../../shared/task/content.ts';
import { app, ask, documentIn, environment, noDatabase, queueStub, tokenFor } from '../client.ts';

const TYPE = '/docs/problems/';

/** The answer to raw bytes as a task, with a queue that takes all and no database. */
async function submit(body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  const request = new Request('http://tasklane.test/api/task', {
    method: 'POST',
    headers: { authorization: `Bearer ${await tokenFor('alice')}`, 'content-type': 'application/json', ...headers },
    body,
  });
  return serve(
    app,
    request,
    environment({ TASK_QUEUE_0: queueStub(), TASK_QUEUE_1: queueStub(), TASK_DB_0: noDatabase }),
  );
}

function streamOf(text: string, chunks: number): ReadableStream {
  let left = chunks;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new TextEncoder().encode(text));
      else controller.close();
    },
  });
}

describe('a body', () => {
  it.each([
    ['with a charset', 'application/json; charset=utf-8'],
    ['of a JSON dialect', 'application/vnd.api+json'],
  ])('%s is read', async (_, type) => {
    expect((await submit('{"service":"echo"}', { 'content-type': type })).status).toBe(202);
  });

  it('that arrives in pieces is read', async () => {
    expect((await submit(streamOf('{"service":"echo"}', 1))).status).toBe(202);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'application/json;;'])(
    'of type %s is refused',
    async (type) => {
      const answer = await submit('{"service":"echo"}', { 'content-type': type });
      expect([answer.status, (await documentIn(answer)).type]).toEqual([415, `${TYPE}unsupported-media-type`]);
    },
  );

  it('that is compressed is refused', async () => {
    expect((await submit('x', { 'content-encoding': 'gzip' })).status).toBe(415);
  });

  it.each([
    ['ends too soon', '{"service":', 'line 1, column 12'],
    ['is empty', '', 'empty'],
    ['is not JSON', 'service=echo', 'not valid JSON'],
    ['nests too deep', `{"service":"echo","payload":${'['.repeat(64)}${']'.repeat(64)}}`, 'deeper than 64'],
    ['nests beyond reason', '['.repeat(400_000), 'deeper than 64'],
  ])('that %s is refused', async (_, body, detail) => {
    const answer = await submit(body);
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({
      type: `${TYPE}malformed-body`,
      detail: expect.stringContaining(detail),
    });
  });

  it('that nests 64 levels is read', async () => {
    const payload = `${'['.repeat(63)}${']'.repeat(63)}`;
    expect((await submit(`{"service":"echo","payload":${payload}}`)).status).toBe(202);
  });

  it('that is not UTF-8 is refused', async () => {
    const answer = await submit(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]));
    expect(await documentIn(answer)).toMatchObject({
      type: `${TYPE}malformed-body`,
      detail: expect.stringContaining('UTF-8'),
    });
  });

  it('that is too large is refused, whether it says its length or not', async () => {
    expect((await submit(`{"labels":"${'x'.repeat(MAX_TASK_BODY_BYTES)}"}`)).status).toBe(413);
    expect((await submit(streamOf(' '.repeat(100_000), 7))).status).toBe(413);
  });

  it('with a payload above the inline limit is refused with both sizes, and why, where there is no bucket', async () => {
    const body = { service: 'echo', payload: 'x'.repeat(MAX_INLINE_BYTES) };
    const answer = await ask(environment({ TASK_DB_0: noDatabase, BODIES: undefined }), '/api/task', { body });
    expect(answer.status).toBe(413);
    expect((await documentIn(answer)).detail).toMatch(
      new RegExp(`${MAX_INLINE_BYTES + 2}.*${MAX_INLINE_BYTES}.*no bucket.*r2_buckets`),
    );
  });

  it.each(['1', 'null', '[]', '"x"'])('that is %s and no object is refused', async (body) => {
    expect((await submit(body)).status).toBe(400);
  });

  it('for an unknown service is refused with what there is', async () => {
    const answer = await ask(environment(), '/api/task', { body: { service: 'ocr' } });
    expect(answer.status).toBe(422);
    expect((await documentIn(answer)).detail).toMatch(/"ocr".*Configured: echo.*SERVICES\.ocr/);
  });

  it('with a doubled or a special name is read as JSON says', async () => {
    expect((await submit('{"service":"nobody","service":"echo"}')).status).toBe(202);
    expect((await submit('{"service":"echo","payload":{"__proto__":{"a":1}}}')).status).toBe(202);
    expect((await submit('{"service":"echo","__proto__":{"retry":1}}')).status).toBeLessThan(500);
  });
});
