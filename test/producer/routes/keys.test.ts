import { describe, expect, it } from 'vitest';
import type { KeyAction, KeyRpc, KeyView } from '../../../shared/key/rpc.ts';
import { ask, catchFailureLog, documentIn, environment, queueStub, tokenFor } from '../client.ts';

catchFailureLog();

const VIEW: KeyView = {
  pool: 'default',
  key: '1',
  number: 1,
  fingerprint: '0a1b2c3d',
  state: 'ready',
  inFlight: 2,
  calls: 7,
  rateLimited: 1,
  lastUsedAt: Date.UTC(2026, 10, 20),
  limits: [{ from: 'learnt', calls: 60, seconds: 60 }],
};

function consumer(views: KeyView[]): KeyRpc & { asked: [string, KeyAction][] } {
  const asked: [string, KeyAction][] = [];
  return {
    asked,
    describe: async () => views,
    fingerprints: async () => [],
    change: async (key, action) => {
      asked.push([key, action]);
      return views.find((view) => view.key === key);
    },
    redactReport: () => Promise.reject(new Error('nobody reports here')),
    redactBody: () => Promise.reject(new Error('nobody reports here')),
  };
}

const broken: KeyRpc = {
  describe: () => Promise.reject(new Error('gone')),
  fingerprints: () => Promise.reject(new Error('gone')),
  change: () => Promise.reject(new Error('gone')),
  redactReport: () => Promise.reject(new Error('gone')),
  redactBody: () => Promise.reject(new Error('gone')),
};

describe('the keys', () => {
  const cooling: KeyView = {
    ...VIEW,
    key: 'gemini-3',
    pool: 'gemini',
    state: 'cooling',
    until: 0,
    why: 'rate-limited',
  };

  it('are shown by shard, and a shard that does not answer is named', async () => {
    const here = environment({ CONSUMER_0: consumer([VIEW, cooling]), CONSUMER_1: broken, CONSUMER_2: consumer([]) });
    const answer = await ask(here, '/api/stats/keys', { token: await tokenFor('root', 'admin') });
    expect(answer.status).toBe(200);
    expect(await documentIn(answer)).toEqual({
      keys: [
        {
          shard: 0,
          pool: 'default',
          key: '1',
          fingerprint: '0a1b2c3d',
          state: 'ready',
          inFlight: 2,
          calls: 7,
          rateLimited: 1,
          lastUsedAt: '2026-11-20T00:00:00.000Z',
          limits: [{ from: 'learnt', calls: 60, seconds: 60 }],
          asOf: expect.any(String),
        },
        expect.objectContaining({ key: 'gemini-3', until: '1970-01-01T00:00:00.000Z', why: 'rate-limited' }),
      ],
      unreachableShards: [1],
    });
  });

  it('are changed by administrators', async () => {
    const shard = consumer([VIEW]);
    const here = environment({ CONSUMER_0: shard });
    const token = await tokenFor('root', 'admin');
    const answer = await ask(here, '/api/keys/0/1/disable', { method: 'POST', token });
    expect([answer.status, (await documentIn(answer)).key]).toEqual([200, '1']);
    expect(shard.asked).toEqual([['1', 'disable']]);
    const status = async (path: string) => (await ask(here, path, { method: 'POST', token })).status;
    expect(await status('/api/keys/0/2/disable')).toBe(404);
    expect(await status('/api/keys/7/1/disable')).toBe(404);
    expect(await status('/api/keys/0/1/destroy')).toBe(400);
    expect(await status('/api/keys/x/1/disable')).toBe(400);
  });

  it('are nobody else’s business', async () => {
    const here = environment({ CONSUMER_0: consumer([VIEW]) });
    for (const role of ['client', 'server'] as const) {
      const token = await tokenFor('alice', role);
      expect((await ask(here, '/api/stats/keys', { token })).status).toBe(403);
      expect((await ask(here, '/api/keys/0/1/disable', { method: 'POST', token })).status).toBe(403);
    }
    expect((await ask(here, '/api/stats/keys', { token: undefined })).status).toBe(401);
  });
});

describe('tasks that need keys', () => {
  it('go to a shard that has some, while it takes them', async () => {
    const services = { echo: { baseUrl: 'http://b.test' }, llm: { baseUrl: 'http://b.test', keyPool: 'open-ai' } };
    const submit = async (refuses: boolean) => {
      const queues = [queueStub(), queueStub(refuses), queueStub()];
      const here = environment({
        SERVICES: services,
        KEY_SHARDS: { open_ai: [1] },
        ...Object.fromEntries(queues.map((queue, shard) => [`TASK_QUEUE_${shard}`, queue])),
      });
      for (let task = 0; task < 8; task++) {
        expect((await ask(here, '/api/task', { body: { service: 'llm', payload: {} } })).status).toBe(202);
      }
      return queues.map(({ sent }) => sent.length);
    };
    expect(await submit(false)).toEqual([0, 8, 0]);
    const [first = 0, second, third = 0] = await submit(true);
    expect([first + third, second]).toEqual([8, 0]);
  });
});
