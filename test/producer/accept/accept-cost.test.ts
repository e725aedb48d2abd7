/** What accepting takes, in numbers that no machine changes: so that it is noticed when a pass, a copy or a question comes back. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ask, environment, noDatabase, queueStub } from '../client.ts';

const TASK = { service: 'echo', payload: { document: 'https://files.example.com/1.pdf', pages: [1, 2, 3] } };
const batchOf = (count: number) => ({ tasks: Array.from({ length: count }, () => TASK) });

afterEach(() => {
  vi.restoreAllMocks();
});

/** An isolate that knows its services, its store and the token: what is counted is a request of many. */
async function warmed() {
  const queue = queueStub();
  const registry = { calls: 0 };
  const REGISTRY = new Proxy(
    {},
    {
      get: () => async () => {
        registry.calls += 1;
        return undefined;
      },
    },
  );
  const here = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: undefined, TASK_DB_0: noDatabase, REGISTRY });
  for (const [path, body] of [['/api/task', TASK] as const, ['/api/tasks/batch', batchOf(2)] as const]) {
    expect((await ask(here, path, { body, headers: lengthOf(body) })).status).toBe(202);
  }
  queue.calls.length = 0;
  registry.calls = 0;
  return { here, queue, registry };
}

function lengthOf(body: object): Record<string, string> {
  return { 'content-length': String(JSON.stringify(body).length) };
}

/** How often `method` of `object` is called while `work` goes on. */
async function callsOf<Name extends string>(
  object: Record<Name, (...parameters: never[]) => unknown>,
  method: Name,
  work: () => Promise<unknown>,
): Promise<number> {
  const spy = vi.spyOn(object as never, method as never);
  try {
    await work();
    return (spy as unknown as { mock: { calls: unknown[] } }).mock.calls.length;
  } finally {
    (spy as unknown as { mockRestore(): void }).mockRestore();
  }
}

describe('accepting one task', () => {
  it('is one send: no store, no registry and nothing beside it are asked', async () => {
    const { here, queue, registry } = await warmed();
    expect((await ask(here, '/api/task', { body: TASK, headers: lengthOf(TASK) })).status).toBe(202);
    expect([queue.calls, registry.calls]).toEqual([[1], 0]);
  });

  it('opens no stream for a body whose length is said and is small', async () => {
    const { here } = await warmed();
    const body = vi.spyOn(Request.prototype, 'body', 'get');
    expect((await ask(here, '/api/task', { body: TASK, headers: lengthOf(TASK) })).status).toBe(202);
    expect(body).not.toHaveBeenCalled();
  });

  it('sets one header of its answer alone; those that all answers have come with it', async () => {
    const { here } = await warmed();
    const set = vi.spyOn(Headers.prototype, 'set');
    const answer = await ask(here, '/api/task', { body: TASK, headers: lengthOf(TASK) });
    expect(set.mock.calls.map(([name]) => name)).toEqual(['location']);
    expect(answer.headers.get('x-frame-options')).toBe('DENY');
  });

  it('parses no address: its host was looked at before, and it has no parameters', async () => {
    const { here } = await warmed();
    expect(await callsOf(URL, 'parse', () => ask(here, '/api/task', { body: TASK, headers: lengthOf(TASK) }))).toBe(0);
  });
});

describe('accepting a batch', () => {
  it('reads what its request says once, however many tasks it has', async () => {
    const { here } = await warmed();
    const readsOf = (count: number) =>
      callsOf(Headers.prototype as never, 'get', () => ask(here, '/api/tasks/batch', { body: batchOf(count) }));
    expect(await readsOf(100)).toBe(await readsOf(1));
  });

  it('writes each task as text once, to know its size', async () => {
    const { here } = await warmed();
    const writesOf = (count: number) =>
      callsOf(JSON as never, 'stringify', () => ask(here, '/api/tasks/batch', { body: batchOf(count) }));
    expect((await writesOf(100)) - (await writesOf(1))).toBe(99);
  });

  it('signs one id a task', async () => {
    const { here } = await warmed();
    const signed = vi.spyOn(crypto.subtle, 'sign');
    await ask(here, '/api/tasks/batch', { body: batchOf(100) });
    const withOne = signed.mock.calls.length;
    await ask(here, '/api/tasks/batch', { body: batchOf(1) });
    expect(withOne - (signed.mock.calls.length - withOne)).toBe(99);
  });
});
