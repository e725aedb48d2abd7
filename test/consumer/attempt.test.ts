import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { servicesSchema } from '../../shared/service/definition.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { type Answer, refused, status } from '../protocol/backend.ts';
import { House } from '../protocol/house.ts';
import type { Row } from '../protocol/promises.ts';

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

  it('says so of a service that the consumer does not know', async () => {
    expect(await attempt(undefined, { service: 'unknown' })).toMatchObject({
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
  it('are two for a connection that gave no answer; then the attempt has failed', async () => {
    const task = await house.submit({ service: 'fetched' });
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
    expect(await attempt(late)).toMatchObject({ status: 'retrying' });
    expect(await attempt(other)).toMatchObject({ status: 'retrying' });
    expect(await attempt(refused(), { service: 'bound' })).toMatchObject({ status: 'retrying' });
    expect(house.backend.calls).toHaveLength(3);
  });
});
