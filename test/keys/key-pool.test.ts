import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { LeaseRequest } from '../../consumer/keys/pool/lease.ts';

const ROSTER = [
  { number: 1, fingerprint: 'aaaaaaaa' },
  { number: 2, fingerprint: 'bbbbbbbb' },
];

let pools = 0;
const newPool = () => env.KEY_POOL.getByName(`pool-${pools++}`);

function request(tasks: string[], over: Partial<LeaseRequest> = {}): LeaseRequest {
  return {
    block: crypto.randomUUID(),
    expiresAt: Date.now() + 60_000,
    tasks: tasks.map((id) => ({ id, waits: 0 })),
    roster: ROSTER,
    configured: {},
    elsewhere: [],
    incoming: 0,
    ...over,
  };
}

describe('the key pool', () => {
  it('leases keys evenly and forgets nothing that it must remember when it is evicted', async () => {
    const pool = newPool();
    const first = request(['a', 'b', 'c', 'd']);
    const { decisions } = await pool.lease(first);
    expect(decisions.map((decision) => decision.is === 'granted' && decision.key).sort()).toEqual([1, 1, 2, 2]);

    const now = Date.now();
    const taskOf = (key: number) => decisions.find((each) => each.is === 'granted' && each.key === key)?.task ?? '';
    const report = (task: string) => ({ task, startedAt: now, endedAt: now });
    await pool.giveBack({
      block: first.block,
      reports: [
        { ...report(taskOf(1)), verdict: { kind: 'limited', quota: false, resetAt: now + 600_000 } },
        { ...report(taskOf(2)), verdict: { kind: 'refused', httpStatus: 401 } },
      ],
    });
    const before = await pool.describe(ROSTER);
    expect(before).toMatchObject([
      { number: 1, state: 'cooling', until: now + 600_000, why: 'rate-limited' },
      { number: 2, state: 'disabled', why: 'refused with 401' },
    ]);

    await evictDurableObject(pool);
    const after = await pool.describe(ROSTER);
    expect(after).toMatchObject([
      { number: 1, state: 'cooling', until: now + 600_000, why: 'rate-limited', inFlight: 0 },
      { number: 2, state: 'disabled', why: 'refused with 401' },
    ]);
    const { decisions: none } = await pool.lease(request(['e']));
    expect(none).toMatchObject([{ is: 'waiting' }]);
  });

  it('writes nothing while everything works but how much each key was used, now and then', async () => {
    const pool = newPool();
    const rows = () =>
      runInDurableObject(pool, (_, { storage }) => storage.sql.exec('SELECT id, value FROM memory').toArray());
    for (let batch = 0; batch < 3; batch++) {
      const lease = request(['a', 'b']);
      await pool.lease(lease);
      const now = Date.now();
      await pool.giveBack({
        block: lease.block,
        reports: ['a', 'b'].map((task) => ({ task, startedAt: now, endedAt: now, verdict: { kind: 'worked' } })),
      });
    }
    const use = {
      aaaaaaaa: [3, 0, expect.any(Number), expect.any(Number)],
      bbbbbbbb: [3, 0, expect.any(Number), expect.any(Number)],
    };
    await runDurableObjectAlarm(pool);
    const [first, second] = await rows();
    expect(JSON.parse(String(second?.value))).toEqual(use);
    await evictDurableObject(pool);
    expect((await pool.describe(ROSTER)).map(({ calls }) => calls)).toEqual([3, 3]);
    expect([first]).toEqual([{ id: 'pool', value: '{"proven":6,"windowMs":60000,"gapMs":0}' }]);
  });

  it('does as an administrator says, and remembers it', async () => {
    const pool = newPool();
    expect(await pool.change(ROSTER, 2, 'disable')).toMatchObject({ state: 'disabled', why: 'switched off' });
    await evictDurableObject(pool);
    const { decisions } = await pool.lease(request(['a', 'b', 'c']));
    expect(decisions.every((decision) => decision.is === 'granted' && decision.key === 1)).toBe(true);
    // A reset does not undo an administrator's word; enabling does.
    expect(await pool.change(ROSTER, 2, 'reset')).toMatchObject({ state: 'disabled' });
    expect(await pool.change(ROSTER, 2, 'enable')).toMatchObject({ state: 'ready' });
    expect(await pool.change(ROSTER, 9, 'enable')).toBeUndefined();
  });

  it('starts afresh with a key whose value was replaced', async () => {
    const pool = newPool();
    await pool.change(ROSTER, 1, 'disable');
    const replaced = [{ number: 1, fingerprint: 'cccccccc' }];
    expect(await pool.describe(replaced)).toMatchObject([{ number: 1, state: 'ready' }]);
  });
});
