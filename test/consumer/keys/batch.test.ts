import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { membersOf } from '../../../consumer/keys/pool/members.ts';
import { answerWith, newTask, newTasks, rowOf, TestConsumer, wakeNow } from './consumer.ts';

const KEYS = { KEY1: 'sk-first-0123456789', KEY2: 'sk-second-0123456789' };
const services = {
  llm: { baseUrl: 'https://llm.test/v1', keyPool: 'default', path: '/chat' },
  gemini: { baseUrl: 'https://gemini.test', keyPool: 'default', auth: { header: 'x-goog-api-key' } },
  search: { baseUrl: 'https://search.test', keyPool: 'default', auth: { query: 'key' } },
};

beforeEach(() => void vi.spyOn(console, 'log').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe('a batch of tasks that need keys', () => {
  it('asks the pool twice for a batch that its keys have room for, and spreads it evenly', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    const calls = answerWith(() => Response.json({ ok: true }));
    const { acked } = await consumer.deliver(await newTasks(4, 'llm'));
    expect(acked).toHaveLength(4);
    expect(consumer.poolCalls).toEqual(['lease', 'release']);
    const used = Map.groupBy(calls, (call) => call.headers.get('authorization'));
    expect([...used].map(([key, each]) => [key, each.length])).toEqual(
      expect.arrayContaining([
        ['Bearer sk-first-0123456789', 2],
        ['Bearer sk-second-0123456789', 2],
      ]),
    );
  });

  it('sends a key as its service says', async () => {
    const consumer = new TestConsumer({ services, keys: { KEY1: 'a/key+with=signs' } });
    const calls = answerWith(() => Response.json({}));
    await consumer.deliver([
      await newTask('gemini', { path: '/v1beta/models' }),
      await newTask('search', { path: '/find?q=a%20b&key=mine&n=1', method: 'GET' }),
    ]);
    expect(calls.find(({ url }) => url.startsWith('https://gemini'))?.headers.get('x-goog-api-key')).toBe(
      'a/key+with=signs',
    );
    const search = calls.find(({ url }) => url.startsWith('https://search'));
    expect(search?.url).toBe('https://search.test/find?q=a%20b&n=1&key=a%2Fkey%2Bwith%3Dsigns');
    expect(search?.headers.has('authorization')).toBe(false);
  });

  it('gives a task another key when one is limited, within the same batch', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    answerWith((request) =>
      request.headers.get('authorization')?.includes('first')
        ? Response.json({}, { status: 429, headers: { 'retry-after': '600' } })
        : Response.json({}),
    );
    const tasks = await newTasks(2, 'llm');
    const { acked } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(2);
    for (const row of await Promise.all(tasks.map(rowOf))) expect(row).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('parks tasks for which there is no key, says why, and consumes no attempt', async () => {
    const consumer = new TestConsumer({
      services: { llm: { ...services.llm, keyLimits: { requestsPerMinute: 10 } } },
      keys: KEYS,
    });
    answerWith(() => Response.json({}));
    const tasks = await newTasks(26, 'llm');
    const { acked } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(26);
    const rows = (await Promise.all(tasks.map(rowOf))).filter(({ status }) => status === 'deferred');
    expect(rows).toHaveLength(6);
    for (const row of rows) {
      expect(row).toMatchObject({
        reason: 'no-key',
        deferrals: 1,
        run: 1,
        parked_for: expect.stringMatching(/^pool:.*default$/),
      });
    }
  });

  it('counts the limits of two models apart where the service names a bucket', async () => {
    const consumer = new TestConsumer({
      services: { llm: { ...services.llm, keyLimits: { requestsPerMinute: 1, bucket: '/model' } } },
      keys: { KEY1: KEYS.KEY1 },
    });
    answerWith(() => Response.json({}));
    const asking = (model: string) =>
      newTask('llm', { body: { encoding: 'json', type: 'application/json', text: JSON.stringify({ model }) } });
    const tasks = [await asking('large'), await asking('small'), await asking('large')];
    await consumer.deliver(tasks);
    const rows = await Promise.all(tasks.map(rowOf));
    expect(rows.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'deferred']);
    expect(rows[2]?.parked_for).toMatch(/^pool:.*default#large$/);
  });

  it('fails a task that two keys refuse which work for others, and no other', async () => {
    const consumer = new TestConsumer({ services, keys: { ...KEYS, KEY3: 'sk-third-0123456789' } });
    answerWith((request) =>
      request.url.endsWith('/forbidden') ? Response.json({ error: 'no' }, { status: 403 }) : Response.json({}),
    );
    const bad = await newTask('llm', { path: '/forbidden' });
    const tasks = [...(await newTasks(6, 'llm')), bad];
    await consumer.deliver(tasks);
    for (let round = 0; round < 6 && (await rowOf(bad)).status === 'deferred'; round++) {
      const more = await newTasks(3, 'llm');
      await consumer.deliver(more);
      tasks.push(...more);
      // As the pool does in production: whoever waits is woken.
      const waiting = (await Promise.all(tasks.map(rowOf))).filter(({ status }) => status === 'deferred');
      await consumer.deliver(await Promise.all(waiting.map(({ id }) => wakeNow(id, 'llm'))));
    }
    const failed = await rowOf(bad);
    expect(failed.status).toBe('failed');
    expect(failed.error).toContain('refused this task (403) with two API keys');
    const views = await consumer.env.keys.pool('default').describe(await membersOf(consumer.env.keys.ring, 'default'));
    expect(views.every(({ state }) => state === 'ready')).toBe(true);
  });

  it('goes on with the good keys when one is revoked', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    answerWith((request) =>
      request.headers.get('authorization')?.includes('first')
        ? Response.json({ error: 'revoked' }, { status: 401 })
        : Response.json({}),
    );
    const tasks = await newTasks(6, 'llm');
    const { acked } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(6);
    for (const row of await Promise.all(tasks.map(rowOf))) expect(row).toMatchObject({ status: 'succeeded' });
  });

  it('fails a request that is larger than its limit after two keys, and cools none', async () => {
    const consumer = new TestConsumer({ services, keys: { ...KEYS, KEY3: 'sk-third-0123456789' } });
    const message = 'Request too large for gpt: Limit 30000, Requested 342389.';
    const calls = answerWith(() => Response.json({ error: { message } }, { status: 429 }));
    const large = await newTask('llm');
    await consumer.deliver([large]);
    expect(await rowOf(large)).toMatchObject({ status: 'failed' });
    expect(calls).toHaveLength(2);
    const views = await consumer.env.keys.pool('default').describe(await membersOf(consumer.env.keys.ring, 'default'));
    expect(views.every(({ state }) => state === 'ready')).toBe(true);
  });

  it('moves tasks to the shard that has keys', async () => {
    const vars = { KEY_SHARDS: { default: [1] } };
    const poor = new TestConsumer({ services, keys: {}, shard: 0, vars });
    answerWith(() => Response.json({}));
    const task = await newTask('llm');
    const { acked, sent } = await poor.deliver([task]);
    expect(acked).toHaveLength(1);
    expect(sent).toMatchObject([{ queue: 'tasks-1', delaySeconds: 1, body: task }]);
    expect(await rowOf(task)).toMatchObject({ status: 'deferred', reason: 'no-key' });
  });

  it('sends no key to an origin that the configuration does not name', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    const calls = answerWith(() => Response.redirect('https://elsewhere.test/steal', 302));
    const task = await newTask('llm');
    await consumer.deliver([task]);
    expect(calls.map(({ url }) => new URL(url).origin)).toEqual(['https://llm.test']);
    expect(await rowOf(task)).toMatchObject({ status: 'failed' });
  });

  it('tells no key to the pool, the ledger or queues, also when a backend echoes it', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    answerWith(async (request) => {
      const seen = JSON.stringify([...request.headers]) + request.url;
      if (request.url.includes('limited')) return new Response(seen, { status: 429 });
      if (request.url.includes('refused')) return Response.json({ seen }, { status: 401 });
      if (request.url.includes('broken')) throw new Error(`cannot reach ${request.url}`);
      return request.url.includes('failed')
        ? Response.json({ seen }, { status: 422 })
        : new Response(seen, { headers: { 'content-type': 'application/octet-stream' } });
    });
    const paths = ['/echo', '/failed', '/limited', '/refused', '/broken', '/echo', '/echo'];
    const tasks = await Promise.all(paths.map((path, index) => newTask(index % 2 ? 'search' : 'llm', { path })));
    await consumer.deliver(tasks);
    const rows = await Promise.all(tasks.map(rowOf));
    const results = rows.map(({ result, result_encoding }) =>
      result_encoding === 'base64' ? atob(String(result)) : String(result),
    );
    expect(results.join()).toContain('[redacted]');
    const told = JSON.stringify([consumer.outgoing, rows, results]);
    for (const key of Object.values(KEYS)) expect(told).not.toContain(key);
  });

  it('defers tasks when the pool does not answer', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    vi.spyOn(consumer.env.keys, 'pool').mockImplementation(() => {
      throw new Error('no pool today');
    });
    const task = await newTask('llm');
    const { retried } = await consumer.deliver([task]);
    expect([...retried.values()]).toEqual([5]);
    expect(await rowOf(task)).toMatchObject({ status: 'deferred', reason: 'no-key' });
  });
});
