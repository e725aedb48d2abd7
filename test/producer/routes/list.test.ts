import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { ask, aTask, documentIn, environment, idFor, tokenFor } from '../client.ts';

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
    ['status=failed&status=done', 'status'],
    ['after=yesterday', 'after'],
    ['before=2026-11-27T08:00:00', 'before'],
    ['label=acme', 'label'],
    ['errorClass=bad', 'errorClass'],
    ['subject=bob', 'subject'],
  ])('refuses ?%s', async (query, field) => {
    const answer = await ask(environment(), `/api/tasks?${query}`);
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field }] });
  });
});

describe('finding', () => {
  const labelled: string[] = [];
  beforeAll(async () => {
    for (let index = 0; index < 6; index++) {
      const id = await idFor('carol', START + index * 1000);
      labelled.push(id);
      const labels = { customer: index % 2 === 0 ? 'acme:1' : 'other' };
      await recordAccepted(env.DB, [aTask(id, 'carol', { ref: `order-${index}`, labels })], undefined);
    }
    await env.DB.prepare(
      `UPDATE tasks SET status = 'failed', finished_at = 1000,
         error = json_object('class', 'http', 'httpStatus', 404, 'message', 'The backend answered 404: no model m-' || substr(id, 20))
       WHERE id IN (?1, ?2)`,
    )
      .bind(labelled[0], labelled[1])
      .run();
  });
  const carol = () => tokenFor('carol');
  const count = async (query: string) =>
    documentIn(await ask(environment(), `/api/tasks/count${query}`, { token: await carol() }));

  it('by ref, by label with a colon in its value, and by time with any offset', async () => {
    const idsOf = async (query: string) => (await page(query, await carol())).tasks.map(({ id }) => id);
    expect(await idsOf('?ref=order-3')).toEqual([labelled[3]]);
    expect(await idsOf('?label=customer:acme:1')).toEqual([labelled[4], labelled[2], labelled[0]]);
    const at = (ms: number) => encodeURIComponent(new Date(ms + 3600_000).toISOString().replace('Z', '+01:00'));
    expect(await idsOf(`?after=${at(START + 2000)}&before=${at(START + 4000)}`)).toEqual([labelled[3], labelled[2]]);
  });

  it('shows the ref of a task', async () => {
    expect((await page('?ref=order-3', await carol())).tasks).toMatchObject([{ ref: 'order-3' }]);
  });

  it('counts', async () => {
    expect(await count('')).toEqual({ count: 6, nextCursor: null });
    expect(await count('?status=failed&status=expired')).toEqual({ count: 2, nextCursor: null });
    expect(await count('?label=customer:other&status=queued')).toEqual({ count: 2, nextCursor: null });
  });

  it('groups failures whose errors are alike', async () => {
    const answer = await ask(environment(), '/api/tasks/errors', { token: await carol() });
    expect(await documentIn(answer)).toMatchObject({
      groups: [{ class: 'http', httpStatus: 404, count: 2, services: ['echo'], latest: { id: labelled[1] } }],
      nextCursor: null,
    });
  });

  it('lets who may see all find the tasks of one', async () => {
    const { tasks } = await page('?subject=carol&ref=order-0', await tokenFor('root', 'viewer'));
    expect(tasks.map(({ id }) => id)).toEqual([labelled[0]]);
  });
});
