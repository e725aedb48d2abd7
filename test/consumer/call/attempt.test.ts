import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteService, putService } from '../../../callback/services/services.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { MAX_INLINE_BYTES } from '../../../shared/task/content.ts';
import { type Answer, refused, status } from '../../protocol/backend.ts';
import { House } from '../../protocol/house.ts';
import type { Row } from '../../protocol/promises.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

function offer(definition: Record<string, unknown>): void {
  house.services = servicesSchema(true).parse({ fetched: { baseUrl: 'http://backend.test/base/', ...definition } });
}

/** One task, one delivery. */
async function attempt(answer?: Answer, order: Parameters<House['submit']>[0] = {}): Promise<Row> {
  const task = await house.submit({ service: 'fetched', ...order });
  if (answer !== undefined) house.backend.answer(task.id, answer);
  await house.deliver();
  return house.row(task.id);
}

const latestCall = () => house.backend.calls.at(-1)!;
const errorOf = ({ error }: Row) => JSON.parse(error ?? '{}') as { class: string; message: string };
const latestRecord = ({ history }: Row) => JSON.parse(history).at(-1);

describe('the request that a backend gets', () => {
  it('goes below the base path, with what a backend needs to answer, recognise and call back', async () => {
    offer({ path: '/default', method: 'PUT', headers: { 'x-house': 'tasklane' } });
    const { id, deadline_at: deadlineAt } = await attempt();
    const { request } = latestCall();
    expect(request.url).toBe('http://backend.test/base/work');
    expect(request.method).toBe('PUT');
    expect(Object.fromEntries(request.headers)).toMatchObject({
      'task-id': id,
      'idempotency-key': id,
      'task-attempt': '1',
      'task-deadline': new Date(deadlineAt).toISOString(),
      'task-callback-url': `http://tasklane.test/api/task/${id}`,
      'task-callback-token': expect.stringMatching(/^1\.[0-9a-f]{48}$/),
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
      'x-house': 'tasklane',
    });
  });

  it("carries the task's method, path, headers and body", async () => {
    offer({});
    let body: string | undefined;
    await attempt(
      async ({ request }) => {
        body = await request.text();
        return new Response();
      },
      {
        request: {
          method: 'PATCH',
          path: '/pages?n=1',
          headers: { accept: 'text/plain' },
          body: { type: 'application/json', encoding: 'json', text: '{"a":1}' },
        },
      },
    );
    const { request } = latestCall();
    expect([request.method, request.url, body]).toEqual(['PATCH', 'http://backend.test/base/pages?n=1', '{"a":1}']);
    expect(request.headers.get('content-type')).toBe('application/json');
    expect(request.headers.get('accept')).toBe('text/plain');
  });

  it("joins the client's trace, else one of its own that stays through all attempts", async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await attempt(undefined, { request: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
    expect(latestCall().request.headers.get('traceparent')).toContain(`00-${traceId}-`);
    await attempt(status(500));
    const first = latestCall().request.headers.get('traceparent');
    await house.clock.moveTo(house.clock.now + 10_000);
    await house.deliver();
    const second = latestCall().request.headers.get('traceparent');
    expect(second?.slice(0, 36)).toBe(first?.slice(0, 36));
    expect(second).not.toBe(first);
  });

  it.each([
    [undefined, '1'],
    [1, '2'],
    [3, '4'],
  ])('says through how many deployments it has come: after %s, %s', async (hops, said) => {
    offer({});
    await attempt(undefined, { request: hops === undefined ? {} : { hops } });
    expect(latestCall().request.headers.get('tasklane-hops')).toBe(said);
  });

  it('is not sent where a redirect points', async () => {
    offer({});
    expect(await attempt(status(302, { location: 'http://elsewhere.test/' }))).toMatchObject({ status: 'failed' });
    expect(house.backend.calls).toHaveLength(1);
    expect(latestCall().request.redirect).toBe('manual');
  });
});

describe('a call that cannot be made', () => {
  it('waits for the deploy that mends it, and takes no attempt', async () => {
    offer({ headers: { 'x-api-key': { secret: 'OCR_KEY' } } });
    const row = await attempt();
    expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured', deferrals: 1, failures: 0 });
    expect(latestRecord(row)).toMatchObject({
      error: { message: 'The secret for the header x-api-key is not set on this consumer.' },
    });
    house.secrets.set('OCR_KEY', 'right');
    await house.clock.moveTo(house.clock.now + 90_000);
    await house.deliver();
    expect(latestCall().request.headers.get('x-api-key')).toBe('right');
    expect(await house.row(row.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('says so of a service that the consumer does not know, and looks again soon: it may have been put just now', async () => {
    const row = await attempt(undefined, { service: 'unknown' });
    expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured' });
    expect(row.next_at! - house.clock.now).toBeLessThanOrEqual(5_000);
    for (let time = 0; time < 8; time++) {
      await house.clock.moveTo((await house.row(row.id)).next_at!);
      await house.deliver();
    }
    expect((await house.row(row.id)).next_at! - house.clock.now).toBeGreaterThanOrEqual(30_000);
  });

  it.each(['http://tasklane.test/api/service/fetched', 'http://TASKLANE.test.:80'])(
    'because its target %s is the deployment itself, waits and says so',
    async (baseUrl) => {
      offer({ baseUrl });
      const row = await attempt();
      expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured', failures: 0 });
      expect(latestRecord(row).error.message).toContain('this deployment itself');
      expect(house.backend.calls).toEqual([]);
    },
  );

  it('because the server that it was given is the deployment itself, waits and says so', async () => {
    house.services = servicesSchema(true).parse({ served: {} });
    house.fleet.join('tasklane');
    const row = await attempt(undefined, { service: 'served' });
    expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured', failures: 0 });
    expect(house.backend.calls).toEqual([]);
  });

  it('ends where its service was deleted after it was submitted, and not where before', async () => {
    const task = await house.submit({ service: 'gone' });
    putService(house.registry, 'gone', {});
    deleteService(house.registry, 'gone', true, 0, house.clock.now + 1);
    await house.deliver();
    const row = await house.row(task.id);
    expect(row).toMatchObject({ status: 'failed' });
    expect(errorOf(row)).toEqual({
      class: 'service-deleted',
      message: 'The service was deleted while the task waited.',
    });
    await house.clock.moveTo(house.clock.now + 10_000);
    expect(await attempt(undefined, { service: 'gone' })).toMatchObject({
      status: 'deferred',
      reason: 'misconfigured',
    });
  });

  it('never shows a secret that no header can carry, and leaves the other calls alone', async () => {
    for (const secret of ['hunter2\nx: y', 'hunter2 ключ', 'hunter2\0']) {
      house.services = servicesSchema(true).parse({
        fetched: { baseUrl: 'http://backend.test', headers: { 'x-api-key': { secret: 'OCR_KEY' } } },
        other: { baseUrl: 'http://backend.test' },
      });
      house.secrets.set('OCR_KEY', secret);
      const other = await house.submit({ service: 'other' });
      const row = await attempt();
      expect(row).toMatchObject({ status: 'deferred', reason: 'misconfigured' });
      expect(await house.row(other.id)).toMatchObject({ status: 'succeeded', run: 1 });
      expect(JSON.stringify(row)).not.toContain('hunter2');
      expect(house.printed.join('\n')).toContain('task.attempted');
      expect(house.printed.join('\n')).not.toContain('hunter2');
    }
  });

  it('sends a secret without the line break at its end', async () => {
    offer({ headers: { 'x-api-key': { secret: 'OCR_KEY' } } });
    house.secrets.set('OCR_KEY', 'right\n');
    expect(await attempt()).toMatchObject({ status: 'succeeded' });
    expect(latestCall().request.headers.get('x-api-key')).toBe('right');
  });
});

describe('the answer', () => {
  it('is stored up to the inline limit, and a failure above it, with and without a known length', async () => {
    const fits = 'x'.repeat(MAX_INLINE_BYTES);
    const text = { 'content-type': 'text/plain' };
    const streamed = (body: string) => new Response(new Blob([body]).stream(), { headers: text });
    expect(await attempt(() => new Response(fits, { headers: text }))).toMatchObject({
      status: 'succeeded',
      result: fits,
    });
    expect(await attempt(() => streamed(fits))).toMatchObject({ status: 'succeeded', result: fits });
    for (const response of [
      () => new Response(`${fits}x`, { headers: { ...text, 'content-length': String(MAX_INLINE_BYTES + 1) } }),
      () => streamed(`${fits}x`),
    ]) {
      const row = await attempt(response);
      expect(row).toMatchObject({ status: 'failed', result: null });
      expect(errorOf(row)).toMatchObject({ class: 'result-too-large', httpStatus: 200 });
    }
  });

  it('is read for its status first, however large: an error shows its beginning, and a redirect where it leads', async () => {
    const page = (code: number, headers: Record<string, string> = {}, task: { service?: string } = {}) =>
      attempt(
        () =>
          new Response('é'.repeat(MAX_INLINE_BYTES), {
            status: code,
            headers: { 'content-type': 'text/html', ...headers },
          }),
        task,
      );
    const failed = await page(500);
    expect(failed).toMatchObject({ status: 'retrying', failures: 1 });
    expect(errorOf(failed).message).toMatch(/^The backend answered 500: é+…$/);
    expect(await page(202)).toMatchObject({ status: 'waiting' });
    const moved = await page(302, { location: 'http://elsewhere.test/new' });
    expect(moved).toMatchObject({ status: 'failed' });
    expect(errorOf(moved)).toMatchObject({ class: 'http', httpStatus: 302 });
    expect(errorOf(moved).message).toContain('http://elsewhere.test/new');
    const busy = { 'retry-after': '7' };
    expect(await page(429, busy)).toMatchObject({ status: 'deferred', reason: 'rate-limited' });
    // That service has had enough.
    expect(await page(503, busy, { service: 'bound' })).toMatchObject({ status: 'deferred', reason: 'backend-busy' });
  });

  it('counts unpacked, and is read no further than the limit', async () => {
    let read = 0;
    const bomb = new ReadableStream<Uint8Array>({
      pull(controller) {
        read += 1;
        controller.enqueue(new Uint8Array(16_384).fill(0x78));
        if (read === 1_000) controller.close();
      },
    });
    const headers = { 'content-type': 'text/plain', 'content-length': '2000', 'content-encoding': 'gzip' };
    const row = await attempt(() => new Response(bomb, { headers, encodeBody: 'manual' }));
    expect(row).toMatchObject({ status: 'failed', result: null });
    expect(errorOf(row)).toMatchObject({ class: 'result-too-large' });
    expect(read).toBeLessThan(20);
  });

  it('that is packed in a way nobody undoes is not stored, and the error names it', async () => {
    for (const encoding of ['deflate', 'GZIP', 'x-gzip', 'gzip, gzip', 'zstd']) {
      const packed = () =>
        new Response('\x78\x9c', { headers: { 'content-type': 'text/plain', 'content-encoding': encoding } });
      const row = await attempt(packed);
      expect(row, encoding).toMatchObject({ status: 'failed', result: null });
      expect(errorOf(row)).toMatchObject({
        class: 'result-unreadable',
        message: expect.stringContaining(`"${encoding}"`),
      });
    }
    const limited = () => new Response('\x78', { status: 429, headers: { 'content-encoding': 'zstd' } });
    expect(await attempt(limited)).toMatchObject({ status: 'deferred', reason: 'rate-limited' });
    expect(latestCall().request.headers.get('accept-encoding')).toBe('gzip, br');
  });

  it('does not hold the token with which the backend calls back, in its body or its type', async () => {
    const echo: Answer = ({ token }) =>
      new Response(JSON.stringify({ token, again: btoa(`x${token}`) }), {
        headers: { 'content-type': `application/json; token=${token.replace('.', '%2e')}` },
      });
    const row = await attempt(echo);
    expect(row).toMatchObject({ status: 'succeeded' });
    const { token } = house.backend.calls.at(-1)!;
    const stored = JSON.stringify(row);
    expect(stored).toContain('[redacted]');
    for (const part of [token.slice(2), token.slice(2, 30), btoa(`x${token}`).slice(8, 40)])
      expect(stored).not.toContain(part);
  });

  it('is kept whole, with its letter of zero', async () => {
    expect(await attempt(() => new Response('a\0b', { headers: { 'content-type': 'text/plain' } }))).toMatchObject({
      status: 'succeeded',
      result: 'a\0b',
    });
  });

  it('that does not come in time is a time-out', async () => {
    const row = await attempt(house.backend.silent());
    expect(row).toMatchObject({ status: 'retrying', failures: 1 });
    expect(errorOf(row)).toEqual({ class: 'timeout', message: 'The backend did not answer within 30 s.' });
  });
});

describe('quick retries', () => {
  const get = { request: { method: 'GET' as const } };

  it('are two for a connection that gave no answer; then the attempt has failed', async () => {
    const task = await house.submit({ service: 'fetched', ...get });
    house.backend.answer(task.id, refused(), refused(), refused());
    await house.deliver();
    expect(house.backend.calls).toHaveLength(3);
    const row = await house.row(task.id);
    expect(row).toMatchObject({ status: 'retrying', failures: 1 });
    expect(errorOf(row)).toMatchObject({ class: 'network' });
  });

  it('are none for a connection that lasted, for another error, and for a bound Worker', async () => {
    const late: Answer = house.backend.after(1_000, refused());
    const other: Answer = () => Promise.reject(new Error('certificate has expired'));
    expect(await attempt(late, get)).toMatchObject({ status: 'retrying' });
    expect(await attempt(other, get)).toMatchObject({ status: 'retrying' });
    expect(await attempt(refused(), { service: 'bound', ...get })).toMatchObject({ status: 'retrying' });
    expect(house.backend.calls).toHaveLength(3);
  });

  it('are none for a request that may have been read, unless the service recognises a repeat', async () => {
    const body = { type: 'text/plain', encoding: 'text' as const, text: 'work' };
    for (const request of [
      { method: 'POST' as const, body },
      { method: 'POST' as const },
      { method: 'PUT' as const, body },
    ]) {
      house.backend.calls.length = 0;
      expect(await attempt(refused(), { request })).toMatchObject({ status: 'retrying', failures: 1 });
      expect(house.backend.calls).toHaveLength(1);
    }
    offer({ idempotent: true });
    house.backend.calls.length = 0;
    expect(await attempt(refused(), { request: { method: 'POST', body } })).toMatchObject({ status: 'succeeded' });
    expect(house.backend.calls).toHaveLength(2);
  });
});
