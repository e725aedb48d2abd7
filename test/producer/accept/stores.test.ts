import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { noteStoreSizes } from '../../../shared/store/store-size.ts';
import { storeOfTask } from '../../../shared/task/id.ts';
import { ask, aTask, documentIn, environment, idFor, queueStub, tokenFor } from '../client.ts';

const HOUR_MS = 3600_000;

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue(undefined);
});

/** A database that is as large as `size` says, or away. */
function sized(db: D1Database, size: { bytes: number | 'away' }): D1Database {
  const wrap = (statement: D1PreparedStatement): object => {
    const told = async (answer: Promise<D1Result>) => {
      const result = await answer;
      return { ...result, meta: { ...result.meta, size_after: size.bytes } };
    };
    return {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: () => told(statement.all()),
      run: () => told(statement.run()),
    };
  };
  return {
    prepare: (sql: string) => {
      if (size.bytes === 'away') throw new Error('D1_ERROR: Network connection lost.');
      return wrap(db.prepare(sql));
    },
  } as unknown as D1Database;
}

function deployment(sizes: readonly { bytes: number | 'away' }[], overrides: Record<string, unknown> = {}) {
  const databases = [env.DB, env.STORE_1, env.STORE_2];
  const queue = queueStub();
  const bindings = Object.fromEntries(sizes.map((size, index) => [`TASK_DB_${index}`, sized(databases[index]!, size)]));
  const here = environment({
    ...bindings,
    TASK_QUEUE_0: queue,
    TASK_QUEUE_1: undefined,
    STORE_LIMIT_BYTES: '1000000',
    ...overrides,
  });
  return { here, queue };
}

const SUBMISSION = { service: 'echo', payload: { n: 1 } };

describe('a store that is full', () => {
  it('refuses tasks with 503 and a time, by every way in, and takes them again when there is room', async () => {
    const size = { bytes: 980_000 };
    const { here, queue } = deployment([size]);
    const refused = [
      await ask(here, '/api/task', { body: SUBMISSION }),
      await ask(here, '/api/tasks/batch', { body: { tasks: [SUBMISSION] } }),
      await ask(here, '/api/service/echo/x', { headers: { prefer: 'respond-async' } }),
    ];
    for (const answer of refused) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('60');
      expect((await documentIn(answer)).type).toContain('storage-full');
    }
    expect(queue.sent).toEqual([]);
    size.bytes = 970_000;
    // Any answer of the database tells it; a poll does.
    await ask(here, `/api/task/${await idFor('alice')}`);
    expect((await ask(here, '/api/task', { body: SUBMISSION })).status).toBe(202);
  });

  it('is passed over for one with room', async () => {
    const { here, queue } = deployment([{ bytes: 990_000 }, { bytes: 500_000 }]);
    for (let task = 0; task < 5; task++) await ask(here, '/api/task', { body: SUBMISSION });
    expect(queue.sent.map(({ task }) => storeOfTask(task.id))).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('a store that does not answer', () => {
  it('gets no new tasks, and gets them again when it is back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const size: { bytes: number | 'away' } = { bytes: 'away' };
    const { here, queue } = deployment([{ bytes: 900_000 }, size]);
    for (let task = 0; task < 5; task++) await ask(here, '/api/task', { body: SUBMISSION });
    expect(new Set(queue.sent.map(({ task }) => storeOfTask(task.id)))).toEqual(new Set([0]));
    size.bytes = 0;
    for (let second = 0; second < 30; second++) {
      vi.advanceTimersByTime(1_000);
      await ask(here, '/api/task', { body: SUBMISSION });
    }
    const stores = queue.sent.slice(-10).map(({ task }) => storeOfTask(task.id));
    expect(stores.filter((store) => store === 1).length).toBeGreaterThan(5);
    vi.useRealTimers();
  });

  it('keeps nobody from submitting when it is the only one', async () => {
    const { here } = deployment([{ bytes: 'away' }]);
    expect((await ask(here, '/api/task', { body: SUBMISSION })).status).toBe(202);
  });

  it('makes the list a 503, because a list that leaves tasks out unseen would be worse', async () => {
    const { here } = deployment([{ bytes: 0 }, { bytes: 'away' }]);
    vi.spyOn(console, 'error').mockReturnValue(undefined);
    expect((await ask(here, '/api/tasks')).status).toBe(503);
  });
});

describe('several stores', () => {
  it('share the tasks of one submission as a whole', async () => {
    const { here, queue } = deployment([{ bytes: 0 }, { bytes: 0 }, { bytes: 0 }]);
    for (let submission = 0; submission < 10; submission++) {
      queue.sent.length = 0;
      await ask(here, '/api/tasks/batch', { body: { tasks: Array.from({ length: 50 }, () => SUBMISSION) } });
      expect(new Set(queue.sent.map(({ task }) => storeOfTask(task.id))).size).toBe(1);
    }
  });

  it('give none to a store that drains', async () => {
    const { here, queue } = deployment([{ bytes: 900_000 }, { bytes: 0 }], { STORES_DRAINING: '1' });
    for (let task = 0; task < 5; task++) await ask(here, '/api/task', { body: SUBMISSION });
    expect(new Set(queue.sent.map(({ task }) => storeOfTask(task.id)))).toEqual(new Set([0]));
  });

  it('are polled where the id says, and listed as one while tasks are added', async () => {
    const { here } = deployment([{ bytes: 0 }, { bytes: 0 }, { bytes: 0 }]);
    const databases = [env.DB, env.STORE_1, env.STORE_2];
    const start = Date.now() - 600_000;
    const ids: string[] = [];
    const add = async (index: number) => {
      const store = (index * 7) % 3;
      const id = await idFor('carol', start + index, store);
      await recordAccepted(databases[store]!, [aTask(id, 'carol')], undefined);
      return id;
    };
    for (let index = 0; index < 60; index++) ids.push(await add(index));
    const token = await tokenFor('carol');
    for (const id of ids.slice(0, 4)) {
      expect(await documentIn(await ask(here, `/api/task/${id}`, { token }))).toMatchObject({ id, service: 'echo' });
    }
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null && page < 50; page++) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const answer = await ask(here, `/api/tasks?limit=7${query}`, { token });
      const document = (await answer.json()) as { tasks: { id: string }[]; nextCursor: string | null };
      seen.push(...document.tasks.map(({ id }) => id));
      cursor = document.nextCursor;
      await add(1_000 + page);
    }
    expect(seen).toEqual([...ids].reverse());
  });

  it('do not know an id of a store that is not there', async () => {
    const { here } = deployment([{ bytes: 0 }]);
    const answer = await ask(here, `/api/task/${await idFor('alice', Date.now(), 5)}`);
    expect(answer.status).toBe(404);
  });
});

describe('what is said of stores', () => {
  it('warns above 90%, with the days that are left, in /healthz and the statistics', async () => {
    const { here } = deployment([{ bytes: 930_000 }, { bytes: 100_000 }, { bytes: 'away' }]);
    const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    await noteStoreSizes(env.DB, [{ store: 0, bytes: 730_000 }], hour - 20 * HOUR_MS);
    vi.spyOn(console, 'error').mockReturnValue(undefined);
    const health = await ask(here, '/healthz', { token: undefined });
    expect(health.status).toBe(200);
    const days = expect.stringMatching(/^store 0 is 93% full, with 0\.2 days left at the pace of the last day$/);
    expect(await documentIn(health)).toEqual({ status: 'warning', warnings: [days, 'store 2 does not answer'] });

    const token = await tokenFor('eve', 'viewer');
    const { stores } = (await (await ask(here, '/api/stats/stores', { token })).json()) as { stores: object[] };
    expect(stores).toMatchObject([
      { store: 0, state: 'nearly-full', bytes: 930_000, limitBytes: 1_000_000, usedPercent: 93, daysLeft: 0.2 },
      { store: 1, state: 'ok', usedPercent: 10 },
      { store: 2, state: 'away' },
    ]);
  });

  it('is nothing while all is well', async () => {
    const { here } = deployment([{ bytes: 100_000 }]);
    expect(await documentIn(await ask(here, '/healthz', { token: undefined }))).toEqual({ status: 'ok' });
  });

  it('names what cannot be meant', async () => {
    const answer = await ask(environment({ STORES_DRAINING: 'one', STORE_LIMIT_BYTES: '-1' }), '/healthz');
    expect(answer.status).toBe(503);
    const { errors } = (await answer.json()) as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field).sort()).toEqual(['STORES_DRAINING', 'STORE_LIMIT_BYTES']);
  });
});

describe('a line over two stores', () => {
  const LINE = 'pool:over-stores';

  async function park(store: number, places: readonly number[]): Promise<string[]> {
    const db = store === 0 ? env.DB : env.STORE_1;
    const ids = await Promise.all(places.map(() => idFor('alice', Date.now(), store)));
    await recordAccepted(
      db,
      ids.map((id) => aTask(id, 'alice')),
      Date.now(),
    );
    const deferred = `UPDATE tasks SET status = 'deferred', run = 1, deferrals = 1, reason = 'no-key', next_at = 9e12, due_at = 9e12,
      parked_for = ?1, place = ?2 WHERE id = ?3`;
    await db.batch(ids.map((id, at) => db.prepare(deferred).bind(LINE, places[at], id)));
    return ids;
  }

  it('says of a task how many stand before it in both, and until when by the pace that either was told', async () => {
    const here = environment({ TASK_DB_0: env.DB, TASK_DB_1: env.STORE_1 });
    const own = await park(0, [10, 40, 70]);
    const other = await park(1, [20, 30, 40, 90]);
    await env.STORE_1.prepare('INSERT INTO lines (line, per_second, noted_at) VALUES (?1, 2, ?2)')
      .bind(LINE, Date.now())
      .run();
    const waitingOf = async (id: string | undefined) =>
      (await documentIn(await ask(here, `/api/task/${id}`))).waitingFor as { ahead: number; until: string };
    const ahead = async (ids: readonly string[]) => Promise.all(ids.map(async (id) => (await waitingOf(id)).ahead));
    // Two have the same place: of these the older one goes first.
    const isFirst = (own[1] ?? '') < (other[2] ?? '');
    expect(await ahead(own)).toEqual([0, isFirst ? 3 : 4, 5]);
    expect(await ahead(other)).toEqual([1, 2, isFirst ? 4 : 3, 6]);
    const before = Date.now();
    expect(Date.parse((await waitingOf(other[3])).until)).toBeGreaterThanOrEqual(before + 3_500);
  });
});
