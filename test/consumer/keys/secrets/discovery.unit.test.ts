import { describe, expect, it } from 'vitest';
import { membersOf } from '../../../../consumer/keys/pool/members.ts';
import { discoverKeys, fingerprintOf, KeyGroupsSchema } from '../../../../consumer/keys/secrets/discovery.ts';
import { keyLabel, keyNameOf, keyOfLabel } from '../../../../shared/key/name.ts';

describe('keys in the environment', () => {
  it('are found by their names, in the order of their numbers, gaps or not', () => {
    const { pools, problems } = discoverKeys({
      KEY10: 'ten',
      KEY2: 'two',
      KEY1: ' one ',
      KEY_GEMINI_1: 'gem-1',
      KEY_OPEN_AI_2: 'open-2',
      KEY_POOL: { idFromName() {} },
      KEY_GROUPS: '{}',
      KEYS: 'no',
      KEY: 'no',
      KEY0: 'no',
      KEY3: '',
      MONKEY1: 'no',
    });
    expect(problems).toEqual([]);
    expect(Object.fromEntries(pools)).toEqual({
      default: new Map([
        [1, 'one'],
        [2, 'two'],
        [10, 'ten'],
      ]),
      gemini: new Map([[1, 'gem-1']]),
      open_ai: new Map([[2, 'open-2']]),
    });
    expect([...(pools.get('default')?.keys() ?? [])]).toEqual([1, 2, 10]);
  });

  it('are used once: a second name for the same key is left out, by name and not by value', () => {
    const { pools, problems } = discoverKeys({ KEY1: 'sk-same', KEY2: 'sk-other', KEY_X_1: 'sk-same' });
    expect(pools.get('default')?.size).toBe(2);
    expect(pools.has('x')).toBe(false);
    expect(problems).toEqual([
      'KEY_X_1 is not used: KEY1 and KEY_X_1 hold the same key, which would be called more often than its limits allow; remove one',
    ]);
    expect(JSON.stringify(problems)).not.toContain('sk-');
  });

  it('have no spaces or other signs that a header cannot carry', () => {
    expect(discoverKeys({ KEY1: 'two words', KEY2: 'schlüssel' }).problems).toHaveLength(2);
  });

  it('are known by a fingerprint that is no part of them', async () => {
    const print = await fingerprintOf('sk-0123456789');
    expect(print).toMatch(/^[0-9a-f]{8}$/);
    expect(print).not.toBe(await fingerprintOf('sk-0123456788'));
    expect(await fingerprintOf('sk-0123456789')).toBe(print);
  });

  it('may share a quota', async () => {
    const groups = KeyGroupsSchema.parse('{ "default": { "org-a": [1, 3] } }');
    const ring = discoverKeys({ KEY1: 'a', KEY2: 'b', KEY3: 'c' }, groups);
    expect((await membersOf(ring, 'default')).map(({ number, group }) => [number, group])).toEqual([
      [1, 'group org-a'],
      [2, undefined],
      [3, 'group org-a'],
    ]);
    expect(KeyGroupsSchema.safeParse('[1]').success).toBe(false);
    expect(KeyGroupsSchema.parse(undefined)).toEqual({});
  });

  it('have labels for addresses', () => {
    for (const variable of ['KEY3', 'KEY_GEMINI_12', 'KEY_OPEN_AI_1']) {
      const name = keyNameOf(variable)!;
      expect(keyOfLabel(keyLabel(name))).toEqual(name);
    }
    expect(keyLabel({ pool: 'default', number: 3 })).toBe('3');
    expect(keyOfLabel('x')).toBeUndefined();
    expect(keyOfLabel('gemini-0')).toBeUndefined();
  });
});
