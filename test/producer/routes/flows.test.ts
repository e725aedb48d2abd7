import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, documentIn, environment, idFor, tokenFor } from '../client.ts';

const here = environment();
const KEYS = Array.from({ length: 7 }, (_, index) => `customer-${index}`);

interface Page {
  flows: { key: string; subject: string; waiting: number; paused: boolean }[];
  nextCursor: string | null;
}

const get = async (path: string, subject: string, role: 'client' | 'admin' | 'viewer' = 'client') =>
  ask(here, path, { token: await tokenFor(subject, role) });

async function pageOf(path: string, subject: string, role?: 'client' | 'admin' | 'viewer'): Promise<Page> {
  const answer = await get(path, subject, role);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await documentIn(answer)) as unknown as Page;
}

/** Its object knows nothing of it: somebody stands in its line. */
async function park(subject: string, line: string): Promise<void> {
  await env.TASK_DB_0.prepare(
    `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, next_at, due_at,
       reason, parked_for, place) VALUES (?1, ?2, 'echo', 'deferred', 1, 1, 1, 1e15, 1e14, 1e14, 'flow-limited', ?3, 1)`,
  )
    .bind(await idFor(subject), subject, line)
    .run();
}

beforeAll(async () => {
  for (const [subject, keys] of [
    ['alice', KEYS],
    ['bob', ['customer-0']],
  ] as const) {
    for (const key of keys) {
      const token = await tokenFor(subject);
      const answer = await ask(here, `/api/flows/${key}`, { method: 'PUT', token, body: { concurrency: 2 } });
      expect(answer.status).toBe(200);
    }
  }
  await park('alice', 'flow:alice/forgotten');
  await park('alice', 'flow:alice/customer-3');
  await park('alice', 'flow:alice/customer-3');
});
afterAll(async () => {
  await env.TASK_DB_0.exec('DELETE FROM tasks');
});

describe('the list of flows', () => {
  it('shows a client its own, each once over all pages, with who waits', async () => {
    const flows: Page['flows'] = [];
    let path = '/api/flows?limit=3';
    for (let pages = 0; pages < 5; pages++) {
      const page = await pageOf(path, 'alice');
      flows.push(...page.flows);
      if (page.nextCursor === null) break;
      path = `/api/flows?limit=3&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
    expect(flows.map(({ key, waiting }) => [key, waiting])).toEqual([
      ...KEYS.map((key) => [key, key === 'customer-3' ? 2 : 0]),
      ['forgotten', 1],
    ]);
    expect(new Set(flows.map(({ subject }) => subject))).toEqual(new Set(['alice']));
  });

  it('says which are paused, and until when', async () => {
    const pause = { until: '2099-01-01T00:00:00Z', reason: 'holiday' };
    const token = await tokenFor('bob');
    await ask(here, '/api/flows/customer-0/pause', { method: 'POST', token, body: pause });
    const { flows } = await pageOf('/api/flows', 'bob');
    expect(flows).toMatchObject([{ key: 'customer-0', paused: true, pause: { reason: 'holiday' }, concurrency: 2 }]);
  });

  it('shows an administrator and a viewer those of everybody, or of one', async () => {
    for (const role of ['admin', 'viewer'] as const) {
      const all = await pageOf('/api/flows', 'root', role);
      expect(all.flows).toHaveLength(KEYS.length + 2);
      const ofBob = await pageOf('/api/flows?subject=bob', 'root', role);
      expect(ofBob.flows.map(({ subject, key }) => `${subject} ${key}`)).toEqual(['bob customer-0']);
    }
  });

  it('gives nobody the flows of another by a cursor or a subject, and refuses what it does not know', async () => {
    const bobs = await pageOf('/api/flows?subject=alice&cursor=flow:alice/', 'bob');
    expect(bobs.flows.map(({ subject }) => subject)).toEqual(['bob']);
    expect((await get('/api/flows?cursor=abc', 'bob')).status).toBe(400);
    expect((await get('/api/flows?limits=3', 'bob')).status).toBe(400);
  });
});
