/** A body that nobody reads keeps one of the six connections of its batch, so it is cancelled. */
import { describe, expect, test, vi } from 'vitest';
import { readBody } from '../../../../consumer/call/answer/response-body.ts';
import { observeReceiver } from '../../../../consumer/call/message.ts';
import { tellCancelled } from '../../../../consumer/call/tell-cancelled.ts';
import { Acquired } from '../../../../consumer/sync/acquired.ts';
import { classifyResponse } from '../../../../consumer/sync/classify-response.ts';
import { FREE_PLACE } from '../../../../consumer/sync/place-hold.ts';
import { servicesSchema } from '../../../../shared/service/definition.ts';
import { MAX_INLINE_BYTES } from '../../../../shared/task/content.ts';

/** An answer whose body goes on for ever. */
function endless(init: ResponseInit) {
  const cancel = vi.fn();
  const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(new Uint8Array(16_384));
  return { response: new Response(new ReadableStream({ pull, cancel }), init), cancel };
}

const LARGE = { 'content-length': String(MAX_INLINE_BYTES + 1) };

describe('the rest of a body is cancelled', () => {
  test.each<[string, ResponseInit]>([
    ['of a 202', { status: 202 }],
    ['packed in a way that nobody undoes', { headers: { 'content-encoding': 'zstd' } }],
    ['of a result that says that it is too large', { headers: LARGE }],
    ['of a result that turns out to be too large', {}],
    ['of an error, beyond its beginning', { status: 500 }],
  ])('%s', async (_, init) => {
    const { response, cancel } = endless(init);
    await readBody(response, false);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test('of a receiver of messages', async () => {
    const { response, cancel } = endless({});
    const call = { service: 'webhook:hooks.test:1', request: {} } as Parameters<typeof observeReceiver>[1];
    await observeReceiver({} as Parameters<typeof observeReceiver>[0], call, response);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test('of a synchronous answer that says that it has none', async () => {
    const { response, cancel } = endless({ headers: { 'content-length': '0' } });
    await classifyResponse(response, new Acquired(FREE_PLACE, undefined), Date.now());
    expect(cancel).toHaveBeenCalledOnce();
  });

  test('of a backend that is told of a cancellation', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const { response, cancel } = endless({});
    const services = servicesSchema(true).parse({ ocr: { baseUrl: 'http://ocr.test', cancelPath: '/work/{id}' } });
    const env = { services, outbound: async () => response } as unknown as Parameters<typeof tellCancelled>[0];
    await tellCancelled(env, 'ocr', 'tsk_a');
    expect(cancel).toHaveBeenCalledOnce();
  });
});
