import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { forgetExpiredKeys } from '../../../shared/store/idempotency.ts';
import { ask, catchFailureLog, documentIn, environment, noDatabase, queueStub, tokenFor } from '../client.ts';

catchFailureLog();

const TASK = { service: 'echo', payload: { a: 1, b: 2 } };

function producer(queue = queueStub(), overrides: Record<string, unknown> = {}) {
  return { queue, environment: environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: undefined, ...overrides }) };
}

const submit = (at: object, key: string, body: unknown = TASK, token?: string) =>
  ask(at, '/api/task', { body, headers: { 'idempotency-key': key }, ...(token !== undefined && { token }) });

const idOf = async (answer: Response) => String((await documentIn(answer)).id);

async function record(queue: ReturnType<typeof queueStub>): Promise<string> {
  const [message] = queue.sent;
  if (message === undefined) throw new Error('nothing was sent');
  await recordAccepted(env.DB, [message.task], undefined);
  return message.task.id;
}

async function end(id: string, status: string): Promise<void> {
  await env.DB.prepare('UPDATE tasks SET status = ?2, finished_at = 1, due_at = NULL WHERE id = ?1')
    .bind(id, status)
    .run();
}

describe('a submission under a key', () => {
  it('is repeated with the same id, in quotes or bare, and says so', async () => {
    const { environment: at, queue } = producer();
    const first = await submit(at, 'once-1');
    expect(first.status).toBe(202);
    expect(first.headers.has('idempotency-replayed')).toBe(false);
    const id = await idOf(first);
    await record(queue);
    const again = await submit(at, '"once-1"', '{ "payload": { "b": 2, "a": 1 },\n "service": "echo" }');
    expect(again.status).toBe(202);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await documentIn(again)).toMatchObject({ id, status: 'queued', replayed: true });
    expect(queue.sent).toHaveLength(1);
  });

  it('with another body is refused, and what differs is named', async () => {
    const { environment: at } = producer();
    await submit(at, 'once-2');
    const other = await submit(at, 'once-2', { ...TASK, payload: { a: 2 }, path: '/v2' });
    expect(other.status).toBe(422);
    expect(await documentIn(other)).toMatchObject({
      type: expect.stringContaining('idempotency-key-reused'),
      errors: [{ field: '/path' }, { field: '/payload' }],
    });
  });

  it('fifty at once over two isolates are one task', async () => {
    const queue = queueStub();
    const producers = [producer(queue), producer(queue)];
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, client) => submit(producers[client % 2]?.environment ?? {}, 'once-3')),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(await Promise.all(answers.map(idOf))).size).toBe(1);
    expect(answers.filter(({ headers }) => !headers.has('idempotency-replayed'))).toHaveLength(1);
    expect(new Set(queue.sent.map(({ task }) => task.id)).size).toBe(1);
  });

  it('whose first sender died before it sent is sent by the repeat, under the first id', async () => {
    const dead = producer(queueStub(true), { TASK_DB_0: onlyKeys(env.DB) });
    expect((await submit(dead.environment, 'once-4')).status).toBe(503);
    const { environment: at, queue } = producer();
    const again = await submit(at, 'once-4');
    expect(again.status).toBe(202);
    expect(queue.sent.map(({ task }) => task.id)).toEqual([await idOf(again)]);
  });

  it.each(['failed', 'cancelled', 'expired'])('is free again when its task has %s', async (status) => {
    const { environment: at, queue } = producer();
    const first = await idOf(await submit(at, `free-${status}`));
    await record(queue);
    await end(first, status);
    const second = await submit(at, `free-${status}`, { ...TASK, path: '/other' });
    expect(second.status).toBe(202);
    expect(second.headers.has('idempotency-replayed')).toBe(false);
    expect(await idOf(second)).not.toBe(first);
    expect(await idOf(await submit(at, `free-${status}`, { ...TASK, path: '/other' }))).toBe(queue.sent[1]?.task.id);
  });

  it('belongs to its owner', async () => {
    const { environment: at } = producer();
    const ids = await Promise.all(
      ['alice', 'bob'].map(async (sub) => idOf(await submit(at, 'once-5', TASK, await tokenFor(sub)))),
    );
    expect(new Set(ids).size).toBe(2);
  });

  it('is free again after its time, which is settable', async () => {
    const { environment: at } = producer(queueStub(), { IDEMPOTENCY_HOURS: '0.0000001' });
    const first = await idOf(await submit(at, 'once-6'));
    // Longer than its time.
    await scheduler.wait(5);
    expect(await idOf(await submit(at, 'once-6', { service: 'echo' }))).not.toBe(first);
  });

  it('costs one row', async () => {
    const { environment: at } = producer();
    const rows = () => env.DB.prepare('SELECT count(*) AS rows FROM idempotency_keys').first<number>('rows');
    const before = (await rows()) ?? 0;
    await submit(at, 'once-7');
    await submit(at, 'once-7');
    expect(await rows()).toBe(before + 1);
    const { results } = await env.DB.prepare(
      `SELECT name FROM sqlite_schema WHERE tbl_name = 'idempotency_keys'`,
    ).all();
    expect(results).toHaveLength(1);
  });

  it('is not accepted while the keys cannot be asked', async () => {
    const { environment: at, queue } = producer(queueStub(), { TASK_DB_0: noDatabase });
    expect((await submit(at, 'once-8')).status).toBe(503);
    expect(queue.sent).toEqual([]);
  });

  it('is refused with a key in the body that says otherwise, and with one that is not a key', async () => {
    const { environment: at } = producer();
    expect((await submit(at, 'one', { ...TASK, idempotencyKey: 'two' })).status).toBe(400);
    expect((await submit(at, '"open')).status).toBe(400);
  });
});

describe('a batch', () => {
  it('has a key per item; the same key twice in it is one task', async () => {
    const { environment: at, queue } = producer();
    const tasks = [
      { ...TASK, idempotencyKey: 'item-1' },
      { ...TASK, idempotencyKey: 'item-1' },
      { ...TASK, idempotencyKey: 'item-2' },
      TASK,
      { ...TASK, path: '/x', idempotencyKey: 'item-1' },
    ];
    const results = async () =>
      (await documentIn(await ask(at, '/api/tasks/batch', { body: { tasks } }))).results as Record<string, unknown>[];
    const first = await results();
    expect(first[0]).toMatchObject({ index: 0, status: 'queued' });
    expect(first[1]).toMatchObject({ index: 1, id: first[0]?.id, replayed: true });
    expect(first[4]).toMatchObject({ problem: { status: 422 } });
    expect(queue.sent).toHaveLength(3);
    await recordAccepted(
      env.DB,
      queue.sent.map(({ task }) => task),
      undefined,
    );
    const second = await results();
    expect(second.map(({ id }) => id === undefined || first.some((item) => item.id === id))).toEqual([
      true,
      true,
      true,
      false,
      true,
    ]);
    expect(queue.sent).toHaveLength(4);
  });

  it('as a whole has no key', async () => {
    const answer = await ask(producer().environment, '/api/tasks/batch', {
      body: { tasks: [TASK] },
      headers: { 'idempotency-key': 'k' },
    });
    expect(answer.status).toBe(400);
  });
});

it('keys whose time is over are deleted in bounded steps, others stay', async () => {
  await env.DB.prepare('DELETE FROM idempotency_keys').run();
  const insert = env.DB.prepare(
    `INSERT INTO idempotency_keys (subject, key, id, fields, expires_at) VALUES (?1, ?2, 'tsk_', '[]', ?3)`,
  );
  await env.DB.batch(
    Array.from({ length: 25 }, (_, at) => insert.bind(`subject-${at % 3}`, `key-${at}`, at % 2 === 0 ? 1_000 : 3_000)),
  );
  let position = '';
  let steps = 0;
  do {
    position = await forgetExpiredKeys(env.DB, position, 10, 2_000);
    steps++;
  } while (position !== '');
  expect(steps).toBe(3);
  const left = await env.DB.prepare('SELECT count(*) AS rows FROM idempotency_keys').first<number>('rows');
  expect(left).toBe(12);
});

/** A database that knows keys, and does not take tasks. */
function onlyKeys(db: D1Database): D1Database {
  return new Proxy(db, {
    get(target, name) {
      if (name !== 'prepare') return Reflect.get(target, name);
      return (sql: string) => {
        if (sql.includes('INTO tasks')) throw new Error('the database does not answer');
        return target.prepare(sql);
      };
    },
  });
}
