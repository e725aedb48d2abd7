import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { type Move, recordTransitions } from '../../../shared/store/transitions.ts';
import { mintTaskId } from '../../../shared/task/id.ts';

const NOW = Date.UTC(2026, 10, 20);
const key = await importMacKey(env.ID_SECRET);

/** A run that has all behind it that a run may have: failures, a line, a report, a wake-up sent twice. */
async function plant(history: string): Promise<string> {
  const id = await mintTaskId(key, 'alice', NOW, 0);
  await env.DB.prepare(
    `INSERT INTO tasks (id, subject, service, status, run, deferrals, attempts_offset, max_attempts, base_seconds, cap_seconds,
       deadline_at, lease_until, nonce, due_at, sends, place, released_at, server, callback_timeout_ms, failures, progress, error,
       life_ms, history, settled_run, settled_verdict, request, request_body, group_name)
     VALUES (?1, 'alice', 'echo', 'running', 4, 1, 1, 8, 2, 60, ?2, ?3, 'nonce-of-this-batch', ?3, 2, 17, ?3, 'srv_1', 5000, 2,
       '{"percent":50}', '{"class":"http","message":"503"}', 1000, ?4, 2, 'failed', '{}', 'body', 'night')`,
  )
    .bind(id, NOW + 86_400_000, NOW + 60_000, history)
    .run();
  return id;
}

function successOf(id: string): Move {
  return {
    id,
    expected: { status: 'running', run: 4 },
    next: {
      status: 'succeeded',
      run: 4,
      deferrals: 1,
      attemptsOffset: 1,
      policy: { maxAttempts: 8, baseSeconds: 2, capSeconds: 60 },
      deadlineAt: NOW + 86_400_000,
      finishedAt: NOW + 5,
    },
    settled: { run: 4, status: 'succeeded' },
    result: { type: 'application/json', encoding: 'json', text: '{"ok":"é\\u0000"}' },
    record: {
      run: 4,
      attempt: 3,
      startedAt: NOW,
      endedAt: NOW + 5,
      httpStatus: 200,
      server: 'a',
      outcome: 'succeeded',
    },
  };
}

/** Written by the statement for any move: what it says besides makes it one of many. */
const byAnyMove = (id: string): Move => ({ ...successOf(id), sends: 0 });

async function rowOf(id: string) {
  const { id: _, ...row } = (await env.DB.prepare('SELECT * FROM tasks WHERE id = ?1').bind(id).first()) ?? {};
  return row;
}

describe('the success of a run', () => {
  const full = JSON.stringify(Array.from({ length: 40 }, (_, run) => ({ run, outcome: 'failed' })));
  it.each(['[]', '[{"run":1,"outcome":"failed"}]', full])(
    'leaves the row as any move would (%.30s)',
    async (history) => {
      const [plain, other] = [await plant(history), await plant(history)];
      const moved = await recordTransitions(env.DB, [successOf(plain), byAnyMove(other)]);
      expect([...moved.values()]).toEqual(
        [plain, other].map((id) => ({ id, subject: 'alice', service: 'echo', is_told: 1 })),
      );
      expect(await rowOf(plain)).toEqual(await rowOf(other));
    },
  );

  it('changes nothing where another run has begun, or the task has ended', async () => {
    const id = await plant('[]');
    const { expected, ...success } = successOf(id);
    const before = await rowOf(id);
    const ofEarlier = {
      ...success,
      expected: { ...expected, run: 3 },
      settled: { run: 3, status: 'succeeded' as const },
    };
    expect((await recordTransitions(env.DB, [ofEarlier])).size).toBe(0);
    expect(await rowOf(id)).toEqual(before);
    expect((await recordTransitions(env.DB, [successOf(id)])).size).toBe(1);
    const after = await rowOf(id);
    expect((await recordTransitions(env.DB, [successOf(id)])).size).toBe(0);
    expect(await rowOf(id)).toEqual(after);
  });
});
