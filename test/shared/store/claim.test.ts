import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { claimTasks } from '../../../shared/store/claim.ts';
import { readStates } from '../../../shared/store/read.ts';
import { stateOfRow } from '../../../shared/store/row.ts';
import { mintTaskId } from '../../../shared/task/id.ts';
import type { TaskState } from '../../../shared/task/state.ts';
import { holdsField, TASK_STATUSES, type TaskStatus } from '../../../shared/task/status.ts';
import { transition } from '../../../shared/task/transition.ts';

const NOW = Date.UTC(2026, 10, 20);
const LEASE_MS = 61_000;
const NONCE = 'nonce-of-this-batch';
const key = await importMacKey(env.ID_SECRET);
const newId = () => mintTaskId(key, 'alice', NOW, 0);

interface Situation {
  status: TaskStatus;
  /** Of the lease, the next time or the due time, from now. */
  offsetMs: number;
  deadlineOffsetMs: number;
  run: number;
  deferrals: number;
  attemptsOffset: number;
  parked?: boolean;
}

async function plant(situation: Situation): Promise<string> {
  const id = await newId();
  const { status, offsetMs, parked = false } = situation;
  const at = NOW + offsetMs;
  await env.DB.prepare(
    `INSERT INTO tasks (id, subject, service, status, run, deferrals, attempts_offset, max_attempts, base_seconds, cap_seconds,
       deadline_at, lease_until, nonce, next_at, due_at, reason, callback_timeout_ms, finished_at, parked_for, request)
     VALUES (?1, 'alice', 'echo', ?2, ?3, ?4, ?5, 3, 2, 60, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, '{}')`,
  )
    .bind(
      id,
      status,
      situation.run,
      situation.deferrals,
      situation.attemptsOffset,
      NOW + situation.deadlineOffsetMs,
      holdsField(status, 'leaseUntil') ? at : null,
      status === 'running' ? 'nonce-of-another-batch' : null,
      holdsField(status, 'nextAt') ? at : null,
      holdsField(status, 'callbackUntil') || parked ? at : null,
      holdsField(status, 'reason') ? 'rate-limited' : null,
      holdsField(status, 'callbackTimeoutMs') ? 60_000 : null,
      holdsField(status, 'finishedAt') ? NOW - 1 : null,
      parked ? 'service:echo' : null,
    )
    .run();
  return id;
}

async function stateOf(id: string): Promise<TaskState> {
  const row = (await readStates(env.DB, [id])).get(id);
  if (row === undefined) throw new Error(`no row ${id}`);
  return stateOfRow(row);
}

describe('the claim in SQL and the transition table say the same', () => {
  const counters = [
    { run: 0, deferrals: 0, attemptsOffset: 0 },
    { run: 2, deferrals: 0, attemptsOffset: 0 },
    { run: 3, deferrals: 0, attemptsOffset: 0 },
    { run: 5, deferrals: 3, attemptsOffset: 0 },
    { run: 5, deferrals: 1, attemptsOffset: 3 },
    { run: 6, deferrals: 1, attemptsOffset: 2 },
  ];
  const kinds = [
    ...TASK_STATUSES.map((status) => ({ status, parked: false })),
    { status: 'deferred' as const, parked: true },
  ];
  for (const { status, parked } of kinds) {
    it(`for a ${parked ? 'parked' : status} task`, async () => {
      for (const offsetMs of [-1000, 0, 1, 60_000]) {
        for (const deadlineOffsetMs of [-1, 0, 1, 3600_000]) {
          for (const counter of counters) {
            const situation = { status, parked, offsetMs, deadlineOffsetMs, ...counter };
            const id = await plant(situation);
            const before = await stateOf(id);
            const expected = transition(before, { type: 'claim', at: NOW, leaseMs: LEASE_MS });
            const claimed = await claimTasks(env.DB, { nonce: NONCE, claims: [{ id, leaseMs: LEASE_MS }] }, NOW);
            const where = JSON.stringify(situation);
            expect(claimed.length, where).toBe(expected.ok ? 1 : 0);
            expect(await stateOf(id), where).toEqual(expected.ok ? expected.next : before);
          }
        }
      }
    });
  }
});

function task(deadlineAt = NOW + 3600_000) {
  return {
    subject: 'alice',
    service: 'echo',
    policy: { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 },
    deadlineAt,
    labels: { team: 'blue' },
    request: '{"path":"/x"}',
  };
}

describe('claimTasks', () => {
  it('inserts a task that has no row, as its first run', async () => {
    const id = await newId();
    const [row] = await claimTasks(env.DB, { nonce: NONCE, claims: [{ id, leaseMs: LEASE_MS, task: task() }] }, NOW);
    expect(row).toMatchObject({ id, status: 'running', run: 1, lease_until: NOW + LEASE_MS });
    const stored = await env.DB.prepare('SELECT subject, request, labels, started_at FROM tasks WHERE id = ?1')
      .bind(id)
      .first();
    expect(stored).toEqual({ subject: 'alice', request: '{"path":"/x"}', labels: '{"team":"blue"}', started_at: NOW });
  });

  it('makes no row for a bare wake-up', async () => {
    const id = await newId();
    expect(await claimTasks(env.DB, { nonce: NONCE, claims: [{ id, leaseMs: LEASE_MS }] }, NOW)).toEqual([]);
    expect((await readStates(env.DB, [id])).size).toBe(0);
  });

  it('answers the same nonce the same way and another nonce not at all', async () => {
    const id = await newId();
    const claims = [{ id, leaseMs: LEASE_MS, task: task() }];
    const [first] = await claimTasks(env.DB, { nonce: NONCE, claims }, NOW);
    const [again] = await claimTasks(env.DB, { nonce: NONCE, claims }, NOW + 5000);
    expect(again).toEqual(first);
    expect(await claimTasks(env.DB, { nonce: 'nonce-of-another-batch', claims }, NOW + 5000)).toEqual([]);
  });

  it('leaves a task that waits again to another claim than the one that ran it', async () => {
    const id = await plant({
      status: 'deferred',
      offsetMs: -1,
      deadlineOffsetMs: 60_000,
      run: 1,
      deferrals: 1,
      attemptsOffset: 0,
    });
    await env.DB.prepare('UPDATE tasks SET nonce = ?2 WHERE id = ?1').bind(id, NONCE).run();
    const claims = [{ id, leaseMs: LEASE_MS }];
    expect(await claimTasks(env.DB, { nonce: NONCE, claims }, NOW)).toEqual([]);
    expect(await claimTasks(env.DB, { nonce: 'nonce-of-another-batch', claims }, NOW)).toMatchObject([
      { id, status: 'running' },
    ]);
  });

  it('fills in a tombstone and leaves it cancelled', async () => {
    const id = await newId();
    await env.DB.prepare(
      `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
       VALUES (?1, 'alice', '', 'cancelled', 1, 0, 0, ?2, ?3)`,
    )
      .bind(id, NOW + 1000, NOW - 5)
      .run();
    const [row] = await claimTasks(env.DB, { nonce: NONCE, claims: [{ id, leaseMs: LEASE_MS, task: task() }] }, NOW);
    expect(row).toMatchObject({ status: 'cancelled', finished_at: NOW - 5, run: 0 });
    expect((await readStates(env.DB, [id])).get(id)).toMatchObject({ status: 'cancelled', service: 'echo' });
  });

  it('remembers a run that was lost with its consumer', async () => {
    const id = await plant({
      status: 'running',
      offsetMs: -1,
      deadlineOffsetMs: 3600_000,
      run: 1,
      deferrals: 0,
      attemptsOffset: 0,
    });
    await claimTasks(env.DB, { nonce: NONCE, claims: [{ id, leaseMs: LEASE_MS }] }, NOW);
    const stored = await env.DB.prepare('SELECT history, failures FROM tasks WHERE id = ?1')
      .bind(id)
      .first<{ history: string; failures: number }>();
    expect(JSON.parse(stored?.history ?? '')).toMatchObject([
      { run: 1, attempt: 1, outcome: 'failed', error: { class: 'lost' } },
    ]);
    expect(stored?.failures).toBe(1);
  });

  it('forgets the progress that an earlier run reported', async () => {
    const situation = { offsetMs: -1, deadlineOffsetMs: 3600_000, run: 1, deferrals: 0, attemptsOffset: 0 };
    const id = await plant({ status: 'retrying', ...situation });
    await env.DB.prepare(`UPDATE tasks SET progress = '{"percent":40}' WHERE id = ?1`).bind(id).run();
    await claimTasks(env.DB, { nonce: NONCE, claims: [{ id, leaseMs: LEASE_MS }] }, NOW);
    expect(await env.DB.prepare('SELECT progress FROM tasks WHERE id = ?1').bind(id).first('progress')).toBeNull();
  });

  it('writes one row a task, and one for the label that it brings', async () => {
    const claims = await Promise.all(
      Array.from({ length: 100 }, async () => ({ id: await newId(), leaseMs: LEASE_MS, task: task() })),
    );
    let written = 0;
    const counting = {
      prepare: (sql: string) => ({
        bind: (...values: unknown[]) => ({
          all: async () => {
            const answer = await env.DB.prepare(sql)
              .bind(...values)
              .all();
            written += answer.meta.rows_written;
            return answer;
          },
        }),
      }),
    } as unknown as D1Database;
    expect(await claimTasks(counting, { nonce: NONCE, claims }, NOW)).toHaveLength(100);
    expect(written).toBe(200);
  });
});
