import { afterEach, expect, it, vi } from 'vitest';
import { type ApiError, apiFor } from '../../dashboard/api.ts';
import { call } from '../../dashboard/operation.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

const LIST = call('GET /api/tasks', {});

function askingOf(answer: () => Promise<Response>) {
  const told = { signedOut: [] as string[], outages: [] as (string | undefined)[] };
  const fetched = vi.fn(answer);
  vi.stubGlobal('fetch', fetched);
  const api = apiFor('a.b.c', {
    onSignedOut: (why) => told.signedOut.push(why),
    onOutage: (why) => told.outages.push(why),
  });
  return { api, told, fetched };
}

const failureOf = (asked: Promise<unknown>) =>
  asked.then(
    () => {
      throw new Error('it was answered');
    },
    (error: ApiError) => error,
  );

it('sends the token and a body of JSON, and reads the answer', async () => {
  const { api, told, fetched } = askingOf(async () => Response.json({ ok: true }));
  expect(await api.send(call('POST /api/task/:id/cancel', { id: 'tsk_1' }), { why: 'late' })).toEqual({ ok: true });
  expect(fetched).toHaveBeenCalledWith(
    '/api/task/tsk_1/cancel',
    expect.objectContaining({
      method: 'POST',
      body: '{"why":"late"}',
      headers: { authorization: 'Bearer a.b.c', 'content-type': 'application/json' },
    }),
  );
  expect(told.outages).toEqual([undefined]);
});

it('says every field that is wrong, and when to come again', async () => {
  const errors = [
    { field: '/url', reason: 'is a web address' },
    { field: '/raiseAfterMinutes', reason: 'is at least 0' },
  ];
  const document = { title: 'Wrong', detail: '/url: is a web address (and 1 more)', errors, retryAfterSeconds: 7 };
  const { api } = askingOf(async () => Response.json(document, { status: 400 }));
  expect(await failureOf(api.get(LIST))).toMatchObject({
    message: '/url: is a web address (and 1 more); /raiseAfterMinutes: is at least 0',
    isOutage: false,
    retryAfterMs: 7_000,
  });
});

it('signs out whose token is not good any more, with the reason', async () => {
  const { api, told } = askingOf(async () => Response.json({ detail: 'The token has expired.' }, { status: 401 }));
  await failureOf(api.get(LIST));
  expect(told.signedOut).toEqual(['The token has expired.']);
});

it('tells an API that nobody reaches, or that does not answer in time, from one that refuses', async () => {
  for (const [error, why] of [
    [new TypeError('Failed to fetch'), 'cannot be reached'],
    [new DOMException('late', 'TimeoutError'), 'does not answer'],
  ] as const) {
    const { api, told } = askingOf(() => Promise.reject(error));
    const failure = await failureOf(api.get(LIST));
    expect(failure.isOutage).toBe(true);
    expect(failure.message).toContain(why);
    expect(told.outages).toEqual([failure.message]);
  }
});

it('says of an act without an answer that nobody knows whether it was done', async () => {
  const { api } = askingOf(() => Promise.reject(new TypeError('Failed to fetch')));
  const failure = await failureOf(api.send(call('POST /api/task/:id/cancel', { id: 'tsk_1' })));
  expect(failure.message).toContain('Look whether it was done before you do it again.');
});

it('is silent about what nobody waits for any more', async () => {
  const { api, told } = askingOf(() => Promise.reject(new DOMException('gone', 'AbortError')));
  expect(await failureOf(api.get(LIST))).toMatchObject({ name: 'AbortError' });
  expect(told.outages).toEqual([]);
});

it('does not show a page of whatever stands before Tasklane', async () => {
  const { api } = askingOf(async () => new Response('<html>Bad gateway</html>', { status: 502 }));
  expect((await failureOf(api.get(LIST))).message).toBe('Something before Tasklane answered 502; it is asked again.');
});
