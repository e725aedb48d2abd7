import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OutlookBoard } from '../../callback/outlook-board.ts';
import type { AttemptRecord } from '../../shared/task/attempt.ts';
import { answerWith, newTask, newTasks, rowOf, TestConsumer, wakeNow } from './consumer.ts';

const OUTLOOK = { room: 1, freeAt: null, perSecond: 1, bears: null };
const KEYS = { KEY1: 'sk-first-0123456789', KEY2: 'sk-second-0123456789' };
const services = {
  llm: { baseUrl: 'https://llm.test/v1', keyPool: 'default', path: '/chat' },
  gemini: { baseUrl: 'https://gemini.test', keyPool: 'default', auth: { header: 'x-goog-api-key' } },
  search: { baseUrl: 'https://search.test', keyPool: 'default', auth: { query: 'key' } },
};

beforeEach(() => void vi.spyOn(console, 'log').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

function historyOf(row: { history: string }): AttemptRecord[] {
  return JSON.parse(row.history) as AttemptRecord[];
}

describe('a batch of tasks that need keys', () => {
  it('asks the pool twice, however many tasks it has, and spreads them evenly', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    const calls = answerWith(() => Response.json({ ok: true }));
    const tasks = await newTasks(12, 'llm');
    const { acked } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(12);
    expect(consumer.poolCalls).toEqual(['lease', 'giveBack']);
    const used = Map.groupBy(calls, (call) => call.headers.get('authorization'));
    expect([...used].map(([key, each]) => [key, each.length])).toEqual(
      expect.arrayContaining([
        ['Bearer sk-first-0123456789', 6],
        ['Bearer sk-second-0123456789', 6],
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

  it('lets a task wait for the pool when a key is limited, and uses another key meanwhile', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    answerWith((request) =>
      request.headers.get('authorization')?.includes('first')
        ? Response.json({}, { status: 429, headers: { 'retry-after': '600' } })
        : Response.json({}),
    );
    const tasks = await newTasks(2, 'llm');
    const { acked, retried } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(1);
    // The other key is free: a second, not ten minutes.
    expect([...retried.values()]).toEqual([1]);
    const rows = await Promise.all(tasks.map(rowOf));
    const deferred = rows.find(({ status }) => status === 'deferred');
    expect(deferred).toMatchObject({ reason: 'rate-limited', deferrals: 1, run: 1, failures: 0 });
    expect(historyOf(deferred!)).toMatchObject([{ outcome: 'deferred', delayMs: 1000, delayReason: 'key-pool' }]);

    // Now only the second key is left; the task that waited gets it.
    const again = await consumer.deliver([await wakeNow(deferred!.id, 'llm')]);
    expect(again.acked).toEqual([deferred!.id]);
  });

  it('says why and until when tasks wait for which there is no key, and consumes no attempt', async () => {
    const consumer = new TestConsumer({
      services: { llm: { ...services.llm, keyLimits: { requestsPerMinute: 10 } } },
      keys: KEYS,
    });
    answerWith(() => Response.json({}));
    const tasks = await newTasks(26, 'llm');
    const { acked, retried } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(20);
    const rows = (await Promise.all(tasks.map(rowOf))).filter(({ status }) => status === 'deferred');
    expect(rows).toHaveLength(6);
    for (const row of rows) expect(row).toMatchObject({ reason: 'no-key', deferrals: 1, run: 1 });
    // Ten a minute and key: a place every six seconds on each, from the end of the window on.
    const delays = [...retried.values()].sort((a, b) => a - b);
    expect(delays).toEqual([61, 61, 67, 67, 73, 73]);
  });

  it('fails a task that two keys refuse which work for others, and no other', async () => {
    const consumer = new TestConsumer({ services, keys: { ...KEYS, KEY3: 'sk-third-0123456789' } });
    answerWith((request) =>
      request.url.endsWith('/forbidden') ? Response.json({ error: 'no' }, { status: 403 }) : Response.json({}),
    );
    const bad = await newTask('llm', { path: '/forbidden' });
    await consumer.deliver([...(await newTasks(6, 'llm')), bad]);
    const row = await rowOf(bad);
    expect(row).toMatchObject({ status: 'deferred', reason: 'key-refused' });
    for (let round = 0; round < 4 && (await rowOf(bad)).status === 'deferred'; round++) {
      await consumer.deliver([await wakeNow(row.id, 'llm'), ...(await newTasks(6, 'llm'))]);
    }
    const failed = await rowOf(bad);
    expect(failed.status).toBe('failed');
    expect(failed.error).toContain('refused this task (403) with two API keys');
    const views = await consumer.env.keys.pool('default').describe([]);
    expect(views.every(({ state }) => state === 'ready')).toBe(true);
  });

  it('goes on with the good keys when one is revoked', async () => {
    const consumer = new TestConsumer({ services, keys: KEYS });
    const warned = vi.spyOn(console, 'warn');
    answerWith((request) =>
      request.headers.get('authorization')?.includes('first')
        ? Response.json({ error: 'revoked' }, { status: 401 })
        : Response.json({}),
    );
    const tasks = await newTasks(6, 'llm');
    const { acked, retried } = await consumer.deliver(tasks);
    expect(acked).toHaveLength(3);
    const again = await consumer.deliver(await Promise.all([...retried.keys()].map((id) => wakeNow(id, 'llm'))));
    expect(again.acked).toHaveLength(3);
    const lines = warned.mock.calls.map(([line]) => JSON.parse(String(line)) as { event: string; key: number });
    expect(lines.filter(({ event }) => event === 'key.refused')).toMatchObject([{ key: 1 }]);
  });

  it('moves tasks to the shard that has keys', async () => {
    const board = new OutlookBoard();
    const rich = new TestConsumer({ services, keys: KEYS, shard: 1, board });
    const poor = new TestConsumer({ services, keys: {}, shard: 0, board });
    answerWith(() => Response.json({}));
    await rich.deliver([await newTask('llm')]);
    await rich.deliver([await newTask('llm')]);
    const task = await newTask('llm');
    const { acked, sent } = await poor.deliver([task]);
    expect(acked).toHaveLength(1);
    expect(sent).toMatchObject([{ queue: 'tasks-1', delaySeconds: 1, body: task }]);
    expect(await rowOf(task)).toMatchObject({ status: 'deferred', reason: 'no-key' });
    // The other shard hears of it before the task arrives.
    const told = board.exchange({ shard: 1, pools: { default: OUTLOOK }, sent: [] }, Date.now());
    expect(told.incoming).toEqual({ default: 1 });
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
