import { env } from 'cloudflare:workers';
import { describe, expect, it, vi } from 'vitest';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { ask, aTask, catchFailureLog, documentIn, environment, idFor, noDatabase, tokenFor } from '../client.ts';

catchFailureLog();

async function recorded(subject: string): Promise<string> {
  const id = await idFor(subject);
  await recordAccepted(env.DB, [aTask(id, subject, { labels: { a: 'b' } })], undefined);
  return id;
}

async function finish(id: string, status: string): Promise<void> {
  await env.DB.prepare(
    `UPDATE tasks SET status = ?2, finished_at = ?3, result_type = 'application/json', result_encoding = 'json',
     result = '{"text":"hello"}' WHERE id = ?1`,
  )
    .bind(id, status, Date.now())
    .run();
}

/** The real database, with its reads counted. */
function countedDatabase() {
  const prepare = vi.fn((sql: string) => env.DB.prepare(sql));
  const batch: D1Database['batch'] = (statements) => env.DB.batch(statements);
  return { database: { prepare, batch } as unknown as D1Database, prepare };
}

describe('polling', () => {
  it('shows a task to its owner', async () => {
    const id = await recorded('alice');
    const answer = await ask(environment(), `/api/task/${id}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await documentIn(answer)).toMatchObject({
      id,
      service: 'echo',
      status: 'queued',
      waitingFor: { reason: 'queue' },
      labels: { a: 'b' },
      timeline: [{ event: 'created' }],
    });
  });

  it('shows it to an admin and a viewer, and to nobody else', async () => {
    const id = await recorded('alice');
    const statusFor = async (token: string) => (await ask(environment(), `/api/task/${id}`, { token })).status;
    expect(await statusFor(await tokenFor('root', 'admin'))).toBe(200);
    expect(await statusFor(await tokenFor('eve', 'viewer'))).toBe(200);
    expect(await statusFor(await tokenFor('bob'))).toBe(404);
    expect(await statusFor(await tokenFor('alice', 'server'))).toBe(403);
  });

  it.each(['tsk_x', 'x', '%E0%A4%A', `tsk_${'0'.repeat(32)}`])(
    'refuses the forged id %s without a read',
    async (id) => {
      const answer = await ask(environment({ TASK_DB_0: noDatabase }), `/api/task/${id}`);
      expect(answer.status).toBe(404);
      expect((await documentIn(answer)).type).toBe('/docs/problems/task-not-found');
    },
  );

  it("refuses another owner's id without a read", async () => {
    const answer = await ask(environment({ TASK_DB_0: noDatabase }), `/api/task/${await idFor('bob')}`);
    expect(answer.status).toBe(404);
  });

  it('takes an authentic id without a row for queued, until the queue has surely dropped it', async () => {
    const young = await ask(environment(), `/api/task/${await idFor('alice')}`);
    expect(await documentIn(young)).toMatchObject({ status: 'queued', service: null, waitingFor: { reason: 'queue' } });
    const old = await ask(environment(), `/api/task/${await idFor('alice', Date.now() - 4 * 86_400_000)}`);
    expect(old.status).toBe(404);
  });

  it('needs the row when an admin asks', async () => {
    const token = await tokenFor('root', 'admin');
    expect((await ask(environment(), `/api/task/${await idFor('alice')}`, { token })).status).toBe(404);
  });

  it('answers 503 when the database does not', async () => {
    const answer = await ask(environment({ TASK_DB_0: noDatabase }), `/api/task/${await idFor('alice')}`);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
  });
});

describe('a finished task', () => {
  it.each([
    ['succeeded', 1],
    ['cancelled', 1],
    ['failed', 2],
    ['expired', 2],
  ])('that %s is read %i times by two polls', async (status, reads) => {
    const id = await recorded('alice');
    await finish(id, status);
    const { database, prepare } = countedDatabase();
    const here = environment({ TASK_DB_0: database });
    const first = await ask(here, `/api/task/${id}`);
    const second = await ask(here, `/api/task/${id}`);
    expect(await second.text()).toBe(await first.text());
    expect(prepare).toHaveBeenCalledTimes(reads);
  });

  it('is not shown to others when it is hot', async () => {
    const id = await recorded('alice');
    await finish(id, 'succeeded');
    const here = environment();
    expect((await documentIn(await ask(here, `/api/task/${id}`))).result).toEqual({ text: 'hello' });
    expect((await ask(here, `/api/task/${id}`, { token: await tokenFor('bob') })).status).toBe(404);
    expect((await ask(here, `/api/task/${id}`, { token: await tokenFor('root', 'admin') })).status).toBe(200);
  });
});

describe('a task that waits in line', () => {
  it('says how many stand before it, and until when', async () => {
    const ids = [await recorded('alice'), await recorded('alice'), await recorded('alice')].sort();
    await env.DB.batch([
      env.DB.prepare(
        `UPDATE tasks SET status = 'deferred', run = 1, deferrals = 1, reason = 'no-key', next_at = 9e12, due_at = 9e12,
           parked_for = 'pool:here', place = (SELECT key FROM json_each(?1) WHERE value = tasks.id) WHERE id IN (SELECT value FROM json_each(?1))`,
      ).bind(JSON.stringify(ids)),
      env.DB.prepare("INSERT INTO lines (line, per_second, noted_at) VALUES ('pool:here', 0.5, ?1)").bind(Date.now()),
    ]);
    const before = Date.now();
    const { waitingFor } = await documentIn(await ask(environment(), `/api/task/${ids[2]}`));
    expect(waitingFor).toMatchObject({ reason: 'no-key', ahead: 2 });
    const until = Date.parse((waitingFor as { until: string }).until);
    expect(until).toBeGreaterThanOrEqual(before + 6_000);
    expect(until).toBeLessThanOrEqual(Date.now() + 6_001);
  });

  it('says in polls and lists alike why its line has stopped, at one read a page', async () => {
    const ids = [await recorded('alice'), await recorded('alice'), await recorded('alice')];
    await env.DB.prepare(
      `UPDATE tasks SET status = 'deferred', run = 1, deferrals = 1, reason = 'no-key', next_at = 9e12, due_at = 9e12,
         parked_for = iif(id = ?1, 'pool:works', 'pool:refused'), place = 1 WHERE id IN (?1, ?2, ?3)`,
    )
      .bind(...ids)
      .run();
    const note = env.DB.prepare('INSERT INTO lines (line, per_second, noted_at, rates) VALUES (?1, 0, ?2, ?3)');
    const now = Date.now();
    await env.DB.batch([
      note.bind('pool:refused', now, JSON.stringify({ shard0: [0, now, 'key-refused'] })),
      note.bind(
        'pool:works',
        now,
        JSON.stringify({ shard0: [0, now, 'key-refused'], shard1: [1, now], shard2: [0, now - 600_000] }),
      ),
    ]);
    const { database, prepare } = countedDatabase();
    const here = environment({ TASK_DB_0: database });
    const polled = async (id: string) => {
      const { waitingFor } = await documentIn(await ask(here, `/api/task/${id}`));
      return (waitingFor as { reason: string }).reason;
    };
    expect(await Promise.all(ids.map(polled))).toEqual(['no-key', 'key-refused', 'key-refused']);
    prepare.mockClear();
    const { tasks } = await documentIn(await ask(here, '/api/tasks?status=deferred'));
    const listed = new Map((tasks as { id: string; waitingFor: object }[]).map((task) => [task.id, task.waitingFor]));
    expect(ids.map((id) => listed.get(id))).toEqual([
      { reason: 'no-key' },
      { reason: 'key-refused' },
      { reason: 'key-refused' },
    ]);
    expect(prepare.mock.calls.filter(([sql]) => sql.includes('lines'))).toHaveLength(1);
    prepare.mockClear();
    await ask(here, '/api/tasks?status=queued');
    expect(prepare.mock.calls.filter(([sql]) => sql.includes('lines'))).toEqual([]);
  });

  it.each([{ until: undefined }, { until: '2099-01-01T00:00:00.000Z' }])(
    'for keys says that its service is paused while that is so, in a list as well: %j',
    async ({ until }) => {
      const id = await recorded('alice');
      const line = `pool:${until}`;
      await env.DB.prepare(
        `UPDATE tasks SET status = 'deferred', run = 1, deferrals = 1, reason = 'no-key', next_at = 9e12, due_at = 9e12,
           parked_for = ?2, place = 1 WHERE id = ?1`,
      )
        .bind(id, line)
        .run();
      await env.DB.prepare('INSERT OR REPLACE INTO lines (line, per_second, noted_at) VALUES (?2, 0.5, ?1)')
        .bind(Date.now(), line)
        .run();
      const token = await tokenFor('root', 'admin');
      const act = (path: string, body?: object) =>
        ask(environment(), `/api/services/echo/${path}`, { method: 'POST', body, token });
      const shown = async () => {
        const here = environment();
        const { tasks } = await documentIn(await ask(here, '/api/tasks?status=deferred'));
        const listed = (tasks as { id: string; waitingFor: object }[]).find((task) => task.id === id);
        return [(await documentIn(await ask(here, `/api/task/${id}`))).waitingFor, listed?.waitingFor];
      };
      expect((await act('pause', { until })).status).toBe(200);
      try {
        expect(await shown()).toEqual([
          { reason: 'paused', ahead: 0, ...(until !== undefined && { until }) },
          { reason: 'paused', ...(until !== undefined && { until }) },
        ]);
      } finally {
        await act('resume');
      }
      expect(await shown()).toEqual([{ reason: 'no-key', ahead: 0, until: expect.any(String) }, { reason: 'no-key' }]);
    },
  );
});

describe('waiting for the end', () => {
  it('asks once a tick for all who wait in an isolate', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => recorded('alice')));
    const { database, prepare } = countedDatabase();
    const here = environment({ TASK_DB_0: database });
    const answers = await Promise.all([
      ...ids.map((id) => ask(here, `/api/task/${id}?wait=20`)),
      // Some looks later.
      scheduler.wait(600).then(() => Promise.all(ids.map((id) => finish(id, 'failed')))),
    ]);
    for (const answer of answers.slice(0, 20)) {
      expect(await documentIn(answer as Response)).toMatchObject({ status: 'failed' });
    }
    // A read when each comes, and when it ends; between them some looks for all.
    const looks = prepare.mock.calls.filter(([sql]) => sql.startsWith('SELECT id, status'));
    expect(looks.length).toBeLessThan(2 * ids.length);
  });

  it('goes on when who asked for it goes away', async () => {
    const [first, second] = [await recorded('alice'), await recorded('alice')];
    const here = environment();
    const leaving = ask(here, `/api/task/${first}?wait=0.3`);
    const staying = ask(here, `/api/task/${second}?wait=20`);
    await leaving;
    await finish(second!, 'failed');
    expect(await documentIn(await staying)).toMatchObject({ status: 'failed' });
  });

  it('answers once the task has ended', async () => {
    const id = await recorded('alice');
    const [answer] = await Promise.all([
      ask(environment(), `/api/task/${id}?wait=20`),
      // A look later.
      scheduler.wait(150).then(() => finish(id, 'failed')),
    ]);
    expect((await documentIn(answer)).status).toBe('failed');
  });

  it('answers where the task stands when time is up', async () => {
    const answer = await ask(environment(), `/api/task/${await recorded('alice')}?wait=0.2`);
    expect((await documentIn(answer)).status).toBe('queued');
  });

  it.each(['31', '-1', 'long'])('is refused for %s seconds', async (wait) => {
    const answer = await ask(environment(), `/api/task/${await idFor('alice')}?wait=${wait}`);
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field: 'wait' }] });
  });
});
