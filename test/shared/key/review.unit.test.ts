/** Keys that are given twice: the plan, `npm start` and the consumer say the same words. */
import { expect, it } from 'vitest';
import { discoverKeys } from '../../../consumer/keys/secrets/discovery.ts';
import { readInputs } from '../../../deploy/inputs/inputs.ts';
import { planKeys } from '../../../deploy/plan/key-plan.ts';
import { readPlan } from '../../../deploy/plan/plan-files.ts';
import { checkServices } from '../../../local/local-plan.ts';
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

it('keys that differ have no problem, and those that are not given are not looked at', () => {
  expect(keyProblems(['KEY1', 'KEY2', 'KEY3', 'KEY4'], (name) => ({ KEY1: 'a', KEY2: 'b' })[name])).toEqual([]);
  expect(keyProblems(['KEY1'], () => 'with space')).toEqual(['KEY1: a key is printable ASCII without spaces']);
});
