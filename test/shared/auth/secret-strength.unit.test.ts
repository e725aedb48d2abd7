import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { reportSecret, weaknessOf } from '../../../shared/auth/secret-strength.ts';

describe('a secret', () => {
  it.each(['base64', 'base64url', 'hex'] as const)('of 48 random bytes as %s is not called weak', (encoding) => {
    const weak = Array.from({ length: 500 }, () => weaknessOf(randomBytes(48).toString(encoding))).filter(Boolean);
    expect(weak).toEqual([]);
  });

  it.each([
    ['a'.repeat(64), 'repeats'],
    ['abc1'.repeat(12), 'repeats'],
    ['my-very-long-secret-for-production-2026', 'words'],
    ['changeme-changeme-changeme-changeme-!', 'words'],
    ['0000000000000000000000000000000001', 'alike'],
    ['aabbaabbabbaabababbabaabbbabaabab', 'alike'],
  ])('%s is weak: it %s', (secret, why) => {
    expect(weaknessOf(secret)).toContain(why);
  });

  it('is compared by a fingerprint that does not show it, and a weak one by none', async () => {
    const secret = randomBytes(48).toString('base64');
    const [one, same] = [await reportSecret('A', secret), await reportSecret('B', secret)];
    expect(one.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(same.fingerprint).toBe(one.fingerprint);
    expect((await reportSecret('A', `${secret}.`)).fingerprint).not.toBe(one.fingerprint);
    expect((await reportSecret('A', 'a'.repeat(64))).fingerprint).toBeUndefined();
  });
});
