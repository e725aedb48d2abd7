import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallbackEnv, readEnv } from '../../callback/env.ts';
import { Ledger } from '../../callback/ledger.ts';
import { describeLines, releaseLine } from '../../callback/parking.ts';
import { answerClaims } from '../../callback/runs/claim.ts';
import { settleAttempts } from '../../callback/runs/settle.ts';
import { takeDeadLetters } from '../../callback/sweep/dead-letter.ts';
import { storesOfRound, sweep } from '../../callback/sweep/sweep.ts';
import { acceptCallback, cancelTask, retryTask } from '../../callback/task-requests.ts';
import { importMacKey } from '../../shared/crypto/mac.ts';
import type { Grant, Settlement } from '../../shared/ledger/contract.ts';
import { type NewTask, newTaskMessage, wakeMessage } from '../../shared/message/task-message.ts';
import { recordAccepted } from '../../shared/store/accept.ts';
import { requestColumns } from '../../shared/store/request-columns.ts';
import { mintTaskId } from '../../shared/task/id.ts';

const key = await importMacKey(env.ID_SECRET);
const DATABASES = [env.DB, env.STORE_1, env.STORE_2];
const NONCE = 'nonce-of-this-batch-of-three-stores';
const HOUR_MS = 3600_000;

let now: number;
/** The stores that do not answer. */
const away = new Set<D1Database>();
let sent: { body: { id: string } }[];
let callback: CallbackEnv;

/** A database that is as far away as `away` says. */
function reachable(db: D1Database): D1Database {
  return new Proxy(db, {
    get(target, name) {
      if (away.has(db)) throw new Error('D1_ERROR: Network connection lost.');
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

beforeEach(async () => {
  now = Date.now();
  away.clear();
  sent = [];
  for (const db of DATABASES) await db.batch([db.prepare('DELETE FROM tasks'), db.prepare('DELETE FROM scans')]);
  const queue = { sendBatch: async (messages: typeof sent) => void sent.push(...messages) };
  callback = await readEnv({
    ...env,
    TASK_DB_0: reachable(env.DB),
    TASK_DB_1: reachable(env.STORE_1),
    TASK_DB_2: reachable(env.STORE_2),
    TASK_QUEUE_0: queue,
    TASK_QUEUE_1: undefined,
  });
  vi.spyOn(console, 'error').mockReturnValue(undefined);
});

async function taskIn(store: number, createdAt = now): Promise<NewTask> {
  const id = await mintTaskId(key, 'alice', createdAt, store);
  const policy = { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 };
  return { id, subject: 'alice', service: 'echo', policy, deadlineAt: createdAt + HOUR_MS, request: { path: '/x' } };
}

const claimOf = ({ id, request, ...task }: NewTask) => ({
  id,
  leaseMs: 60_000,
  task: { ...task, ...requestColumns(request) },
});

async function claim(tasks: readonly NewTask[]): Promise<Grant[]> {
  const answers = await answerClaims(callback, { nonce: NONCE, claims: tasks.map(claimOf) }, now);
  return answers.filter((answer) => answer.granted);
}

const succeeded = ({ id, state }: Grant): Settlement => ({
  id,
  state,
  event: { type: 'succeed', at: now, run: state.run },
  result: { type: 'application/json', encoding: 'json', text: '{}' },
});

const idsIn = async (db: D1Database, status: string) => {
  const { results } = await db.prepare('SELECT id FROM tasks WHERE status = ?1 ORDER BY id').bind(status).all();
  return results.map(({ id }) => id);
};

describe('a batch over three stores', () => {
  it('is claimed and settled where the ids say', async () => {
    const tasks = await Promise.all([0, 1, 2, 1].map((store) => taskIn(store)));
    const grants = await claim(tasks);
    expect(new Set(grants.map(({ id }) => id))).toEqual(new Set(tasks.map(({ id }) => id)));
    const settled = await settleAttempts(callback, grants.map(succeeded), now);
    expect(settled).toHaveLength(4);
    expect(await idsIn(env.DB, 'succeeded')).toEqual([tasks[0]?.id]);
    expect(await idsIn(env.STORE_1, 'succeeded')).toEqual([tasks[1]?.id, tasks[3]?.id].sort());
    expect(await idsIn(env.STORE_2, 'succeeded')).toEqual([tasks[2]?.id]);
  });

  it('asks each of its stores once', async () => {
    const statements: string[] = [];
    const counted = (db: D1Database) =>
      new Proxy(db, {
        get: (target, name) => {
          if (name !== 'prepare') return Reflect.get(target, name) as unknown;
          return (sql: string) => {
            statements.push(sql);
            return target.prepare(sql);
          };
        },
      });
    callback = await readEnv({ ...env, TASK_DB_0: counted(env.DB), TASK_DB_1: counted(env.STORE_1) });
    const tasks = await Promise.all(Array.from({ length: 10 }, (_, index) => taskIn(index % 2)));
    const grants = await claim(tasks);
    await settleAttempts(callback, grants.map(succeeded), now);
    expect(statements).toHaveLength(4);
  });

  it('leaves out the tasks of a store that does not answer, and no others', async () => {
    const tasks = await Promise.all([0, 1, 2].map((store) => taskIn(store)));
    away.add(env.STORE_1);
    const granted = await claim(tasks);
    expect(granted.map(({ id }) => id).sort()).toEqual([tasks[0]?.id, tasks[2]?.id]);
    away.clear();
    // The message comes again; the nonce is another then.
    const [late] = await claim([tasks[1]!]);
    away.add(env.STORE_1);
    const settled = await settleAttempts(callback, [...granted, late!].map(succeeded), now);
    expect(settled.map(({ id }) => id).sort()).toEqual([tasks[0]?.id, tasks[2]?.id]);
    away.clear();
    expect(await settleAttempts(callback, [succeeded(late!)], now)).toMatchObject([{ status: 'succeeded' }]);
  });

  it('rejects as a whole only when no store answers', async () => {
    const tasks = await Promise.all([0, 1].map((store) => taskIn(store)));
    for (const db of DATABASES) away.add(db);
    await expect(claim(tasks)).rejects.toThrow('Network connection lost');
  });

  it('is left out, and not repeated at once, when its store has not answered for a while', async () => {
    const task = await taskIn(1);
    away.add(env.STORE_1);
    for (let time = 0; time < 3; time++) await expect(claim([task])).rejects.toThrow('Network connection lost');
    expect(await claim([task])).toEqual([]);
    away.clear();
    expect(await claim([task])).toMatchObject([{ id: task.id, granted: true }]);
    away.add(env.STORE_1);
    await expect(claim([task])).rejects.toThrow('Network connection lost');
  });

  it('keeps the message of a store that this release does not know yet, and forgets it when it is long gone', async () => {
    const [known, unknown, gone] = await Promise.all([taskIn(0), taskIn(7), taskIn(8, now - 31 * 24 * HOUR_MS)]);
    const claims = [claimOf(known!), claimOf(unknown!), { id: gone!.id, leaseMs: 1000 }];
    const answers = await answerClaims(callback, { nonce: NONCE, claims }, now);
    expect(answers.map(({ id }) => id).sort()).toEqual([known!.id, gone!.id].sort());
    expect(answers.find(({ id }) => id === gone!.id)).toMatchObject({ status: 'absent', disposition: { kind: 'ack' } });
  });

  it('is looked up for cancellations in all of them', async () => {
    const tasks = await Promise.all([0, 1, 2].map((store) => taskIn(store)));
    await claim(tasks);
    for (const { id } of tasks.slice(1)) {
      await cancelTask(callback, { id, subject: 'alice', plantTombstone: false }, now);
    }
    const bindings = { ...env, TASK_DB_1: env.STORE_1, TASK_DB_2: env.STORE_2 };
    const session = await new Ledger(createExecutionContext(), bindings as never).open();
    const cancelled = await session.cancelledAmong(tasks.map(({ id }) => id));
    expect(cancelled.sort()).toEqual(
      tasks
        .slice(1)
        .map(({ id }) => id)
        .sort(),
    );
  });
});

describe('a task of the second store', () => {
  it('is cancelled, retried and reported on there', async () => {
    const task = await taskIn(1);
    const subject = 'alice';
    expect(await cancelTask(callback, { id: task.id, subject, plantTombstone: true }, now)).toMatchObject({ ok: true });
    expect(await idsIn(env.STORE_1, 'cancelled')).toEqual([task.id]);

    const other = await taskIn(1);
    const [grant] = await claim([other]);
    const report = { status: 'failed', message: 'no', retryable: false } as const;
    const token = grant!.callbackToken;
    expect(await acceptCallback(callback, { id: other.id, token, report }, now, 0)).toMatchObject({ status: 'failed' });
    expect(await retryTask(callback, { id: other.id }, now)).toMatchObject({ ok: true, status: 'queued' });
    expect(await idsIn(env.STORE_1, 'queued')).toEqual([other.id]);
  });

  it('of a store that is not there is not found', async () => {
    const { id } = await taskIn(9);
    const answer = await cancelTask(callback, { id, subject: 'alice', plantTombstone: true }, now);
    expect(answer).toMatchObject({ ok: false, code: 'task-not-found' });
  });
});

describe('dead letters', () => {
  it('of a store that does not answer are kept, the others taken', async () => {
    const [here, there] = await Promise.all([taskIn(0), taskIn(1)]);
    const messages = [newTaskMessage(here!), newTaskMessage(there!), wakeMessage(here!.id, 'echo')].map((body) => ({
      body,
      id: 'm',
      attempts: 2,
      timestamp: new Date(now),
      ack: vi.fn(),
      retry: vi.fn(),
    }));
    vi.spyOn(console, 'warn').mockReturnValue(undefined);
    away.add(env.STORE_1);
    await takeDeadLetters(callback, { queue: 'tasklane-dead', messages } as never, now);
    expect(messages.map(({ ack }) => ack.mock.calls.length)).toEqual([1, 0, 1]);
    expect(messages.map(({ retry }) => retry.mock.calls.length)).toEqual([0, 1, 0]);
    expect(await idsIn(env.DB, 'queued')).toEqual([here!.id]);
  });
});

describe('a line over three stores', () => {
  const LINE = 'service:echo';

  async function park(stores: readonly number[]): Promise<string[]> {
    const tasks = await Promise.all(stores.map((store, index) => taskIn(store, now - 60_000 + index)));
    const grants = await claim(tasks);
    const settlements = grants.map(({ id, state }): Settlement => {
      const event = { type: 'defer', at: now, run: state.run, reason: 'no-server', delayMs: HOUR_MS } as const;
      return { id, state, event: { ...event, park: { line: LINE } } };
    });
    await settleAttempts(callback, settlements, now);
    return tasks.map(({ id }) => id);
  }

  it('is released oldest first, wherever the rows are', async () => {
    const ids = await park([0, 1, 1, 2, 0, 1, 2]);
    expect(await describeLines(callback, [LINE])).toEqual([{ line: LINE, count: 7, oldestId: ids[0] }]);
    expect(await releaseLine(callback, { line: LINE, limit: 4 }, now)).toEqual({ released: 4, left: true });
    expect(sent.map(({ body }) => body.id).sort()).toEqual(ids.slice(0, 4));
    expect(await releaseLine(callback, { line: LINE, limit: 4 }, now)).toEqual({ released: 3, left: false });
    expect(sent.map(({ body }) => body.id).sort()).toEqual(ids);
  });

  it('goes on while one of the stores does not answer, and takes its tasks when it is back', async () => {
    const ids = await park([0, 1, 2, 0]);
    away.add(env.STORE_1);
    expect(await releaseLine(callback, { line: LINE, limit: 10 }, now)).toEqual({ released: 3, left: false });
    away.clear();
    expect(await releaseLine(callback, { line: LINE, limit: 10 }, now)).toEqual({ released: 1, left: false });
    expect(sent.map(({ body }) => body.id).sort()).toEqual(ids);
  });
});

describe('the sweep over three stores', () => {
  it('does its work in each, and in the others while one does not answer', async () => {
    const tasks = await Promise.all([0, 1, 2].map((store) => taskIn(store)));
    for (const [index, db] of DATABASES.entries()) await recordAccepted(db, [tasks[index]!], now);
    away.add(env.STORE_1);
    expect(await sweep(callback, now)).toMatchObject({ woken: 2 });
    away.clear();
    expect(await sweep(callback, now)).toMatchObject({ woken: 1 });
    expect(sent.map(({ body }) => body.id).sort()).toEqual(tasks.map(({ id }) => id).sort());
  });

  it('takes turns with more stores than a round can ask', () => {
    const all = Array.from({ length: 256 }, (_, number) => ({ number, db: env.DB }));
    const rounds = Array.from({ length: 8 }, (_, round) => storesOfRound(all, now + round * 60_000));
    for (const stores of rounds) expect(stores.length).toBeLessThanOrEqual(32);
    expect(new Set(rounds.flat().map(({ number }) => number)).size).toBe(256);
    expect(storesOfRound(all.slice(0, 3), now)).toHaveLength(3);
  });
});
