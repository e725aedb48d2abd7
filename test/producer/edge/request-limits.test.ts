import { describe, expect, it } from 'vitest';
import { ask, callbackStub, catchFailureLog, documentIn, environment, idFor, noDatabase, tokenFor } from '../client.ts';

catchFailureLog();

/** As the platform counts: by key. */
function counting(limit: number) {
  const counts = new Map<string, number>();
  return {
    counts,
    limit: async ({ key }: { key: string }) => {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return { success: (counts.get(key) ?? 0) <= limit };
    },
  };
}

const from = (address: string) => ({ headers: { 'cf-connecting-ip': address } });

describe('requests', () => {
  it('are counted by address before anything is known of them, whatever they ask', async () => {
    const REQUESTS_BY_ADDRESS = counting(2);
    const here = environment({ REQUESTS_BY_ADDRESS, TASK_DB_0: noDatabase });
    const paths = ['/api/nothing', '/api/tasks', '/openapi.json'];
    const answers: Response[] = [];
    for (const path of paths) answers.push(await ask(here, path, { token: 'a.b.c', ...from('192.0.2.1') }));
    expect(answers.map(({ status }) => status)).toEqual([404, 401, 429]);
    const refused = answers[2] ?? Response.error();
    expect(refused.headers.get('retry-after')).toBe('10');
    expect((await documentIn(refused)).type).toBe('/docs/problems/too-many-requests');
    expect((await ask(here, '/api/nothing', { token: undefined, ...from('192.0.2.2') })).status).toBe(404);
  });

  it('with a token that was verified lately are counted by it, so that nobody at its address holds it up', async () => {
    const [REQUESTS_BY_ADDRESS, REQUESTS_BY_TOKEN] = [counting(1), counting(2)];
    const here = environment({ REQUESTS_BY_ADDRESS, REQUESTS_BY_TOKEN });
    const token = await tokenFor('alice');
    const ofAlice = async () => (await ask(here, '/api/tasks', { token, ...from('192.0.2.1') })).status;
    expect(await ofAlice()).toBe(200);
    expect((await ask(here, '/api/tasks', { token: 'a.b.c', ...from('192.0.2.1') })).status).toBe(429);
    expect([await ofAlice(), await ofAlice(), await ofAlice()]).toEqual([200, 200, 429]);
    const [key = ''] = REQUESTS_BY_TOKEN.counts.keys();
    expect(token.endsWith(key) && key.length < token.length / 2).toBe(true);
  });

  it('are never refused for callbacks, which come from one address for all tasks', async () => {
    const CALLBACK = callbackStub({ ok: true, status: 'succeeded', changed: true });
    const here = environment({ CALLBACK, REQUESTS_BY_ADDRESS: counting(0) });
    const report = { method: 'PUT', body: { status: 'succeeded' }, token: 'attempt', ...from('192.0.2.1') };
    expect((await ask(here, `/api/task/${await idFor('alice')}`, report)).status).toBe(200);
  });

  it('are served when a counter fails', async () => {
    const REQUESTS_BY_ADDRESS = { limit: () => Promise.reject(new Error('no counter')) };
    expect((await ask(environment({ REQUESTS_BY_ADDRESS }), '/api/tasks')).status).toBe(200);
  });
});

describe('headers', () => {
  it.each([
    ['too many', Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`x-${at}`, 'a']))],
    ['too long', { 'x-long': 'a'.repeat(33_000) }],
  ])('that are %s are refused before the token is looked at', async (_, headers) => {
    const answer = await ask(environment({ TASK_DB_0: noDatabase }), '/api/tasks', { token: 'a.b.c', headers });
    expect([answer.status, (await documentIn(answer)).type]).toEqual([431, '/docs/problems/headers-too-large']);
  });
});
