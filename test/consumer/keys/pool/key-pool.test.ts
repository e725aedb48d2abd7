import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { KeyRequest } from '../../../../consumer/keys/pool/lease.ts';

const MEMBERS = [
  { number: 1, fingerprint: 'aaaaaaaa' },
  { number: 2, fingerprint: 'bbbbbbbb' },
];

let pools = 0;
const newPool = () => env.KEY_POOL.getByName(`pool-${pools++}`);

function request(tasks: string[], over: Partial<KeyRequest> = {}): KeyRequest {
  return {
    leaseId: crypto.randomUUID(),
    expiresAt: Date.now() + 60_000,
    calls: tasks,
    members: MEMBERS,
    configured: {},
    shard: 0,
    otherShards: [],
    ...over,
  };
}

describe('the key pool', () => {
  it('leases keys evenly and forgets nothing that it must keep when it is evicted', async () => {
    const pool = newPool();
    const first = request(['a', 'b', 'c', 'd']);
    const answers = await pool.lease(first);
    expect([...answers].sort()).toEqual([1, 1, 2, 2]);

    const now = Date.now();
    const tasksOf = (key: number) => ['a', 'b', 'c', 'd'].filter((_, index) => answers[index] === key);
    await pool.release({
      leaseId: first.leaseId,
      reports: [
        ...tasksOf(1).map((task) => ({
          task,
          feedback: { kind: 'limited' as const, quota: false, resetAt: now + 600_000 },
        })),
        ...tasksOf(2).map((task) => ({
          task,
          feedback: { kind: 'refused' as const, httpStatus: 401, about: 'key' as const },
        })),
      ],
    });
    const expected = [
      { number: 1, state: 'cooling', until: now + 600_000, why: 'rate-limited', inFlight: 0 },
      { number: 2, state: 'disabled', why: 'refused with 401' },
    ];
    expect(await pool.describe(MEMBERS)).toMatchObject(expected);
    await evictDurableObject(pool);
    expect(await pool.describe(MEMBERS)).toMatchObject(expected);
  });

  it('gives a question that is repeated the same answer, and counts it once', async () => {
    const pool = newPool();
    const inFlight = async () => (await pool.describe(MEMBERS)).reduce((sum, key) => sum + key.inFlight, 0);
    const question = request(['a', 'b']);
    const answers = await pool.lease(question);
    expect(await pool.lease(question)).toEqual(answers);
    expect(await inFlight()).toBe(2);
    await pool.release({ leaseId: question.leaseId });
    expect(await inFlight()).toBe(0);
  });

  it('takes a call that worked by its task alone, beside one that says more', async () => {
    const pool = newPool();
    const question = request(['a', 'b']);
    const answers = await pool.lease(question);
    const feedback = { kind: 'limited' as const, quota: false, resetAt: Date.now() + 600_000 };
    await pool.release({ leaseId: question.leaseId, worked: ['a'], reports: [{ task: 'b', feedback }] });
    const keys = await pool.describe(MEMBERS);
    expect(keys.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    expect(keys.filter(({ state }) => state === 'cooling').map(({ number }) => number)).toEqual([answers[1]]);
  });

  it('writes nothing while everything works but how much each key was used, now and then', async () => {
    const pool = newPool();
    const rows = () =>
      runInDurableObject(pool, (_, { storage }) => storage.sql.exec('SELECT id, value FROM snapshot').toArray());
    for (let batch = 0; batch < 3; batch++) {
      const question = request(['a', 'b']);
      await pool.lease(question);
      await pool.release({
        leaseId: question.leaseId,
        reports: ['a', 'b'].map((task) => ({ task, feedback: { kind: 'worked' } })),
      });
    }
    await runDurableObjectAlarm(pool);
    const [whole, use] = await rows();
    expect(JSON.parse(String(use?.value))).toEqual({
      aaaaaaaa: [expect.any(Number), 0, expect.any(Number)],
      bbbbbbbb: [expect.any(Number), 0, expect.any(Number)],
    });
    expect(JSON.parse(String(whole?.value))).toMatchObject({ members: MEMBERS, lines: [] });
    await evictDurableObject(pool);
    expect((await pool.describe(MEMBERS)).reduce((sum, { calls }) => sum + calls, 0)).toBe(6);
  });

  it('does as an administrator says, and remembers it', async () => {
    const pool = newPool();
    expect(await pool.change(MEMBERS, 2, 'disable')).toMatchObject({ state: 'disabled', why: 'switched off' });
    await evictDurableObject(pool);
    const [answer] = await pool.lease(request(['a']));
    expect(answer).toBe(1);
    // A reset does not undo an administrator's word; enabling does.
    expect(await pool.change(MEMBERS, 2, 'reset')).toMatchObject({ state: 'disabled' });
    expect(await pool.change(MEMBERS, 2, 'enable')).toMatchObject({ state: 'ready' });
    expect(await pool.change(MEMBERS, 9, 'enable')).toBeUndefined();
  });

  it('starts afresh with a key whose value was replaced', async () => {
    const pool = newPool();
    await pool.change(MEMBERS, 1, 'disable');
    const replaced = [{ number: 1, fingerprint: 'cccccccc' }];
    expect(await pool.describe(replaced)).toMatchObject([{ number: 1, state: 'ready' }]);
  });
});
