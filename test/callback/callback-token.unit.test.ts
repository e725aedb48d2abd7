import { describe, expect, it } from 'vitest';
import { mintCallbackToken, runOfCallbackToken } from '../../callback/callback-token.ts';
import { importMacKey } from '../../shared/crypto/mac.ts';

const SECRET = 'callback-secret-of-these-tests-32-bytes';
const OTHER_SECRET = 'another-secret-of-these-tests-32-bytes';
const ID = `tsk_${'0'.repeat(32)}`;
const OTHER_ID = `tsk_${'1'.repeat(32)}`;
const key = await importMacKey(SECRET);

describe('callback tokens', () => {
  it('say which run they speak for', async () => {
    for (const run of [1, 2, 10, 999_999_999]) {
      expect(await runOfCallbackToken(key, ID, await mintCallbackToken(key, ID, run))).toBe(run);
    }
  });

  it('are worth nothing for another task, another run, another deployment', async () => {
    const token = await mintCallbackToken(key, ID, 1);
    expect(await runOfCallbackToken(key, OTHER_ID, token)).toBeUndefined();
    expect(await runOfCallbackToken(key, ID, token.replace(/^1/, '2'))).toBeUndefined();
    expect(await runOfCallbackToken(key, ID, token.replace(/^1/, '01'))).toBeUndefined();
    expect(await runOfCallbackToken(await importMacKey(OTHER_SECRET), ID, token)).toBeUndefined();
  });

  it('are refused with any digit changed, cut or longer', async () => {
    const token = await mintCallbackToken(key, ID, 1);
    const forged = [...token].map(
      (digit, at) => `${token.slice(0, at)}${digit === '0' ? '1' : '0'}${token.slice(at + 1)}`,
    );
    for (const text of [
      ...forged,
      '',
      '1.',
      token.slice(0, -2),
      `${token}00`,
      token.toUpperCase(),
      ` ${token}`,
      `${token}\n`,
    ]) {
      expect(await runOfCallbackToken(key, ID, text), JSON.stringify(text)).toBeUndefined();
    }
  });

  it('outlive a rotation of the secret', async () => {
    const token = await mintCallbackToken(key, ID, 7);
    expect(await runOfCallbackToken(await importMacKey(OTHER_SECRET, SECRET), ID, token)).toBe(7);
  });
});
