/** Circles: what has come through Tasklane too often is refused on every way in, and the count goes on. */
import { describe, expect, it } from 'vitest';
import { ask, catchFailureLog, documentIn, environment, queueStub } from '../client.ts';

catchFailureLog();

const WAYS: Readonly<Record<string, { readonly path: string; readonly body: object; readonly more?: object }>> = {
  'a task': { path: '/api/task', body: { service: 'echo' } },
  'a batch': { path: '/api/tasks/batch', body: { tasks: [{ service: 'echo' }] } },
  'a synchronous call that becomes a task': {
    path: '/api/service/echo/x',
    body: {},
    more: { prefer: 'respond-async' },
  },
};

async function come(way: string, hops: string | undefined) {
  const queue = queueStub();
  const here = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });
  const { path, body, more } = WAYS[way]!;
  const headers = { ...more, ...(hops !== undefined && { 'tasklane-hops': hops }) };
  const answer = await ask(here, path, { body, headers });
  return { answer, hops: queue.sent.map(({ task }) => task.request.hops) };
}

describe.each(Object.keys(WAYS))('%s', (way) => {
  it.each([
    [undefined, undefined],
    ['1', 1],
    ['3', 3],
  ])('that has come %s times carries it on', async (hops, carried) => {
    const came = await come(way, hops);
    expect(came.answer.status).toBe(202);
    expect(came.hops).toEqual([carried]);
  });

  it.each(['4', '999', '9999', '-1', '1, 1', 'many', '0x1'])(
    'that says it has come %s times is refused: what cannot be read may hide a circle',
    async (hops) => {
      const came = await come(way, hops);
      expect(came.answer.status).toBe(400);
      expect((await documentIn(came.answer)).detail).toContain('tasklane-hops');
      expect(came.hops).toEqual([]);
    },
  );
});

it('a synchronous call hands its count to the consumer', async () => {
  const seen: Headers[] = [];
  const fetch = async (_: string, init: RequestInit) => {
    seen.push(new Headers(init.headers));
    return new Response('fine');
  };
  const here = environment({ SYNC_0: { fetch }, SYNC_1: { fetch } });
  await ask(here, '/api/service/echo/x', { body: {}, headers: { 'tasklane-hops': '2' } });
  const call = JSON.parse(seen[0]?.get('tasklane-call') ?? '{}');
  expect(call).toMatchObject({ hops: 2 });
});
