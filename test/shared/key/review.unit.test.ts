/** Keys that are given twice: the plan, `npm start` and the consumer say the same words. */
import { expect, it } from 'vitest';
import { discoverKeys, keyFingerprints } from '../../../consumer/keys/secrets/discovery.ts';
import { readInputs } from '../../../deploy/inputs/inputs.ts';
import { planKeys } from '../../../deploy/plan/key-plan.ts';
import { readPlan } from '../../../deploy/plan/plan-files.ts';
import { checkServices } from '../../../local/local-plan.ts';
import { sharedKeys } from '../../../producer/keys/shared-keys.ts';
import { keyProblems } from '../../../shared/key/review.ts';

const SAID = 'KEY1 and KEY_X_1 hold the same key, which would be called more often than its limits allow; remove one';
const KEYS = { KEY1: 'the-same-key', KEY2: 'another-key', KEY_X_1: 'the-same-key' };
const SIGNING = { JWT_SECRET: 'j', ID_SECRET: 'i', CALLBACK_SECRET: 'c', WEBHOOK_SECRET: 'w' };

it('a plan, npm start and a consumer name both variables, and no value', () => {
  expect(() => readInputs(KEYS, [])).toThrow(SAID);
  const keys = planKeys(Object.keys(KEYS));
  expect(() => checkServices(readPlan({ shards: keys.shards }), keys, { ...SIGNING, ...KEYS })).toThrow(SAID);
  expect(discoverKeys(KEYS).problems).toEqual([`KEY_X_1 is not used: ${SAID}`]);
  expect(SAID).not.toContain(KEYS.KEY1);
});

it('a PUT says them too, by what consumers say of the keys that they were given, on one shard or on two', async () => {
  const shard = (keys: Readonly<Record<string, string>>, number: number) => ({
    shard: number,
    rpc: { fingerprints: () => keyFingerprints(keys) },
  });
  const { KEY_X_1, ...rest } = KEYS;
  expect(await sharedKeys('default', [shard(KEYS, 0)])).toEqual([SAID]);
  expect(await sharedKeys('x', [shard(rest, 0), shard({ KEY_X_1: ` ${KEY_X_1}\n` }, 1)], [1])).toEqual([SAID]);
  expect(await sharedKeys('x', [shard(rest, 0), shard({ KEY_X_1: 'of its own' }, 1)])).toEqual([]);
  expect(JSON.stringify(await keyFingerprints(KEYS))).not.toContain('the-same-key');
});

it('keys that differ have no problem, and those that are not given are not looked at', () => {
  expect(keyProblems(['KEY1', 'KEY2', 'KEY3', 'KEY4'], (name) => ({ KEY1: 'a', KEY2: 'b' })[name])).toEqual([]);
  expect(keyProblems(['KEY1'], () => 'with space')).toEqual(['KEY1: a key is printable ASCII without spaces']);
});
