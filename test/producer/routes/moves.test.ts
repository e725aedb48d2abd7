import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { LedgerAnswer } from '../../../shared/ledger/rpc.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { MAX_INLINE_BYTES } from '../../../shared/task/content.ts';
import {
  ask,
  aTask,
  callbackStub,
  catchFailureLog,
  documentIn,
  environment,
  idFor,
  noDatabase,
  tokenFor,
} from '../client.ts';

catchFailureLog();

async function recorded(subject: string): Promise<string> {
  const id = await idFor(subject);
  await recordAccepted(env.DB, [aTask(id, subject)], undefined);
  return id;
}

const DONE: LedgerAnswer = { ok: true, status: 'cancelled', changed: true };

describe('cancelling', () => {
  it('asks for a tombstone when the task is not recorded yet', async () => {
    const CALLBACK = callbackStub(DONE);
    const id = await idFor('alice');
    const answer = await ask(environment({ CALLBACK }), `/api/task/${id}/cancel`, { method: 'POST' });
    expect(await documentIn(answer)).toMatchObject({ id, status: 'cancelled' });
    expect(CALLBACK.asked).toEqual([{ id, subject: 'alice', plantTombstone: true }]);
  });

  it('is for the owner and admins only', async () => {
    const CALLBACK = callbackStub(DONE);
    const id = await recorded('alice');
    const as = async (token: string) =>
      (await ask(environment({ CALLBACK }), `/api/task/${id}/cancel`, { method: 'POST', token })).status;
    expect(await as(await tokenFor('bob'))).toBe(404);
    expect(CALLBACK.asked).toEqual([]);
    expect(await as(await tokenFor('root', 'admin'))).toBe(200);
    expect(CALLBACK.asked).toEqual([{ id, subject: 'alice', plantTombstone: false }]);
  });

  it('needs the row when an admin asks, and a young id otherwise', async () => {
    const token = await tokenFor('root', 'admin');
    expect(
      (await ask(environment(), `/api/task/${await idFor('alice')}/cancel`, { method: 'POST', token })).status,
    ).toBe(404);
    const old = await idFor('alice', Date.now() - 5 * 86_400_000);
    expect((await ask(environment(), `/api/task/${old}/cancel`, { method: 'POST' })).status).toBe(404);
  });

  it.each([
    ['task-finished', 409],
    ['task-not-found', 404],
  ] as const)('passes %s on', async (code, status) => {
    const CALLBACK = callbackStub({ ok: false, code, detail: 'Why.' });
    const answer = await ask(environment({ CALLBACK }), `/api/task/${await idFor('alice')}/cancel`, { method: 'POST' });
    expect(answer.status).toBe(status);
    expect(await documentIn(answer)).toMatchObject({ type: `/docs/problems/${code}`, detail: 'Why.' });
  });

  it('answers 503 when the callback Worker does not', async () => {
    const CALLBACK = { cancelTask: () => Promise.reject(new Error('gone')) };
    const answer = await ask(environment({ CALLBACK }), `/api/task/${await idFor('alice')}/cancel`, { method: 'POST' });
    expect(answer.status).toBe(503);
  });
});

describe('retrying', () => {
  it('tells the new deadline', async () => {
    const CALLBACK = callbackStub({ ok: true, status: 'queued', changed: true, deadlineAt: Date.UTC(2026, 10, 20) });
    const id = await recorded('alice');
    const answer = await ask(environment({ CALLBACK }), `/api/task/${id}/retry`, { method: 'POST' });
    expect(await documentIn(answer)).toMatchObject({ id, status: 'queued', deadlineAt: '2026-11-20T00:00:00.000Z' });
    expect(CALLBACK.asked).toEqual([{ id, by: 'alice' }]);
  });

  it('is refused for a task that has not run yet', async () => {
    const answer = await ask(environment(), `/api/task/${await idFor('alice')}/retry`, { method: 'POST' });
    expect(answer.status).toBe(409);
    expect((await documentIn(answer)).type).toBe('/docs/problems/not-retryable');
  });

  it('is for the owner only', async () => {
    const id = await recorded('alice');
    const answer = await ask(environment(), `/api/task/${id}/retry`, { method: 'POST', token: await tokenFor('bob') });
    expect(answer.status).toBe(404);
  });
});

describe('a report on an attempt', () => {
  const report = (id: string, body: unknown, callback: LedgerAnswer, token: string | undefined = 'attempt-token') => {
    const CALLBACK = callbackStub(callback);
    const answer = ask(environment({ CALLBACK, TASK_DB_0: noDatabase }), `/api/task/${id}`, {
      method: 'PUT',
      body,
      token,
    });
    return { CALLBACK, answer };
  };

  it('goes to the callback Worker with its token', async () => {
    const id = await idFor('alice');
    const { CALLBACK, answer } = report(
      id,
      { status: 'running', progress: 40 },
      { ok: true, status: 'waiting', changed: true },
    );
    expect(await documentIn(await answer)).toEqual({ id, status: 'waiting', changed: true });
    expect(CALLBACK.asked).toEqual([{ id, token: 'attempt-token', report: { status: 'running', percent: 40 } }]);
  });

  it.each([
    ['unauthenticated', 401],
    ['stale-attempt', 409],
    ['task-finished', 409],
    ['task-not-found', 404],
  ] as const)('passes %s on', async (code, status) => {
    const { answer } = report(await idFor('alice'), { status: 'succeeded' }, { ok: false, code, detail: 'Why.' });
    expect((await answer).status).toBe(status);
    if (status === 401) expect((await answer).headers.get('www-authenticate')).toContain('Bearer');
  });

  it('is refused without a token before its body is read', async () => {
    const answer = await ask(environment(), `/api/task/${await idFor('alice')}`, {
      method: 'PUT',
      body: '{',
      token: undefined,
    });
    expect(answer.status).toBe(401);
  });

  it('is refused for what is no task id', async () => {
    const { CALLBACK, answer } = report('x', { status: 'succeeded' }, DONE);
    expect((await answer).status).toBe(404);
    expect(CALLBACK.asked).toEqual([]);
  });

  it('is refused with a result above the inline limit where there is no bucket', async () => {
    const answer = await ask(environment({ BODIES: undefined }), `/api/task/${await idFor('alice')}`, {
      method: 'PUT',
      body: { status: 'succeeded', result: 'x'.repeat(MAX_INLINE_BYTES) },
      token: 'attempt-token',
    });
    expect(answer.status).toBe(413);
  });
});
