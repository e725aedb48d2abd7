/** What an administrator said of a key holds wherever a deploy puts it (decision 0096). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyAction } from '../../../shared/key/rpc.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';

const [FIRST, SECOND] = ['sk-first-0123456789', 'sk-second-0123456789'];

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

async function change(shard: number, number: number, action: KeyAction) {
  const members = (await house.consumers.membersOf(shard)) ?? [];
  return house.clock.drive(async () => house.keyPools[shard]?.change(members, number, action));
}

/** The keys that calls carry, of tasks that come to each shard. */
async function keysInUse(): Promise<(string | null)[]> {
  const before = house.backend.calls.length;
  const queues = house.consumers.serves(1) ? (['tasks', 'tasks-1'] as const) : (['tasks', 'tasks'] as const);
  const tasks = await Promise.all([...queues, ...queues].map((queue) => house.submit({ service: 'keyed' }, queue)));
  await comeToRest(house);
  for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', failures: 0 });
  const calls = house.backend.calls.slice(before);
  return [...new Set(calls.map(({ request }) => request.headers.get('authorization')))].sort();
}

describe('a key that an administrator disabled', () => {
  beforeEach(() => change(0, 1, 'disable'));

  it('stays so on another shard, by another number, and after the restart of its pool, until it is enabled there', async () => {
    expect(await keysInUse()).toEqual([`Bearer ${SECOND}`]);
    house.consumers.deploy({ keys: [{ KEY1: SECOND }, { KEY5: FIRST }] });
    house.consumers.retire();
    expect(await keysInUse()).toEqual([`Bearer ${SECOND}`]);
    house.restartKeyPool(1);
    expect(await keysInUse()).toEqual([`Bearer ${SECOND}`]);
    expect(await change(1, 5, 'enable')).toMatchObject({ state: 'ready' });
    await change(0, 1, 'disable');
    expect(await keysInUse()).toEqual([`Bearer ${FIRST}`]);
  });

  it('and enabled on another shard is enabled where it was before', async () => {
    house.consumers.deploy({ keys: [{ KEY1: SECOND }, { KEY5: FIRST }] });
    house.consumers.retire();
    await keysInUse();
    await change(1, 5, 'enable');
    house.consumers.deploy({ keys: [{ KEY1: SECOND, KEY2: FIRST }, { KEY3: 'sk-third-0123456789' }] });
    house.consumers.retire();
    house.restartKeyPool(0);
    await change(0, 1, 'disable');
    expect(await keysInUse()).toContain(`Bearer ${FIRST}`);
  });

  it('is not lent on another shard while the ledger cannot be asked, and no task fails for it', async () => {
    house.consumers.deploy({ keys: [{ KEY1: SECOND }, { KEY5: FIRST }] });
    house.consumers.retire();
    house.faults.always('db.key-switches', 'down');
    house.plan(house.clock.now + 60_000, async () => house.faults.mend('db.key-switches'));
    expect(await keysInUse()).toEqual([`Bearer ${SECOND}`]);
    expect(house.faults.struckAt('db.key-switches')).toBeGreaterThan(1);
    await change(1, 5, 'enable');
    await change(0, 1, 'disable');
    expect(await keysInUse()).toEqual([`Bearer ${FIRST}`]);
  });
});
