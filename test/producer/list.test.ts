import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { recordAccepted } from '../../shared/store/accept.ts';
import { ask, aTask, documentIn, environment, idFor, tokenFor } from './client.ts';

const START = Date.now() - 60_000;
const ids: string[] = [];

beforeAll(async () => {
  for (let index = 0; index < 25; index++) {
    const subject = index % 5 === 4 ? 'bob' : 'alice';
    const id = await idFor(subject, START + index);
    ids.push(id);
    await recordAccepted(env.DB, [aTask(id, subject, { service: index % 2 === 0 ? 'even' : 'odd' })], undefined);
  }
});

async function page(query: string, token?: string) {
  const answer = await ask(environment(), `/api/tasks${query}`, token === undefined ? {} : { token });
  expect(answer.status).toBe(200);
  return (await answer.json()) as {
    tasks: { id: string; subject: string; service: string }[];
    nextCursor: string | null;
  };
}

describe('the list', () => {
  it("shows a client's own tasks, newest first", async () => {
    const { tasks, nextCursor } = await page('');
    expect(tasks.map(({ id }) => id)).toEqual(ids.filter((_, index) => index % 5 !== 4).reverse());
    expect(nextCursor).toBeNull();
  });

  it.each(['admin', 'viewer'] as const)('shows the role %s all tasks', async (role) => {
    const { tasks } = await page('', await tokenFor('root', role));
    expect(tasks.map(({ id }) => id)).toEqual([...ids].reverse());
  });

  it('walks through pages without a gap or a repeat', async () => {
    const seen: string[] = [];
    let query = '?limit=7';
    for (let turn = 0; turn < 10; turn++) {
      const { tasks, nextCursor } = await page(query);
      seen.push(...tasks.map(({ id }) => id));
      if (nextCursor === null) break;
      query = `?limit=7&cursor=${nextCursor}`;
    }
    expect(seen).toEqual(ids.filter((_, index) => index % 5 !== 4).reverse());
  });

  it('filters by service and status', async () => {
    const { tasks } = await page('?service=even&status=queued');
    expect(tasks.length).toBeGreaterThan(0);
    expect(new Set(tasks.map(({ service }) => service))).toEqual(new Set(['even']));
    expect((await page('?status=failed')).tasks).toEqual([]);
  });

  it('shows only its own tasks to whoever brings the cursor of another', async () => {
    const { nextCursor } = await page('?limit=2');
    const { tasks } = await page(`?cursor=${nextCursor}`, await tokenFor('bob'));
    expect(new Set(tasks.map(({ subject }) => subject))).toEqual(new Set(['bob']));
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['status=done', 'status'],
    ['cursor=abc', 'cursor'],
    ['state=failed', 'state'],
  ])('refuses ?%s', async (query, field) => {
    const answer = await ask(environment(), `/api/tasks?${query}`);
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field }] });
  });
});
