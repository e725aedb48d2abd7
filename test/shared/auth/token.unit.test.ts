import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { secretBytes, signToken, type TokenKeys, verifyToken } from '../../../shared/auth/token.ts';

const SECRET = 'a secret of the tests, at least 32 bytes';
const PREVIOUS = 'the secret before, also 32 bytes or more';
const NOW = Date.UTC(2026, 10, 20);

const keys: TokenKeys = {
  secrets: [SECRET, PREVIOUS].map(secretBytes),
  keySet: undefined,
  issuer: undefined,
  audience: undefined,
};

const alice = { sub: 'alice', role: 'client' } as const;

describe('a token signed with a secret', () => {
  it('says who sends it', async () => {
    const token = await signToken({ ...alice, jti: 'j1' }, SECRET, 60, NOW);
    expect(await verifyToken(keys, token, NOW)).toEqual({
      ok: true,
      principal: { subject: 'alice', role: 'client', jti: 'j1', expiresAt: NOW + 60_000 },
    });
  });

  it('is good under the previous secret too, and under no other', async () => {
    expect(await verifyToken(keys, await signToken(alice, PREVIOUS, 60, NOW), NOW)).toMatchObject({ ok: true });
    const foreign = await signToken(alice, 'somebody else, with 32 bytes or more', 60, NOW);
    expect(await verifyToken(keys, foreign, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it('ends', async () => {
    const token = await signToken(alice, SECRET, 60, NOW);
    expect(await verifyToken(keys, token, NOW + 119_000)).toMatchObject({ ok: true });
    expect(await verifyToken(keys, token, NOW + 121_000)).toMatchObject({
      ok: false,
      reason: 'The token has expired.',
    });
  });

  it.each([
    ['exp', 1e20],
    ['exp', NOW / 1000 + 11 * 365 * 86_400],
    ['iat', NOW / 1000 + 61],
    ['nbf', NOW / 1000 + 61],
    ['exp', NOW / 1000 - 61],
  ])('is refused when %s is %d', async (claim, value) => {
    const claims = { ...alice, exp: NOW / 1000 + 60, [claim]: value };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(secretBytes(SECRET));
    expect(await verifyToken(keys, token, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it.each([
    ['iat', NOW / 1000 + 59],
    ['nbf', NOW / 1000 + 59],
    ['exp', NOW / 1000 - 59],
    ['exp', NOW / 1000 + 9 * 365 * 86_400],
  ])('is good when %s is %d, since clocks differ', async (claim, value) => {
    const claims = { ...alice, exp: NOW / 1000 + 60, [claim]: value };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(secretBytes(SECRET));
    expect(await verifyToken(keys, token, NOW)).toMatchObject({ ok: true });
  });

  it('has one spelling of its signature', async () => {
    const token = await signToken(alice, SECRET, 60, NOW);
    const others = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((last) => token.slice(0, -1) + last)
      .filter((other) => other !== token);
    for (const other of [
      ...others,
      `${token}=`,
      `${token}==`,
      `${token}\n`,
      `${token.slice(0, -2)} ${token.slice(-2)}`,
    ]) {
      expect(await verifyToken(keys, other, NOW), other).toMatchObject({ ok: false, code: 'invalid' });
    }
  });

  it.each([
    ['no role', { sub: 'alice' }],
    ['an unknown role', { sub: 'alice', role: 'root' }],
    ['no subject', { role: 'client' }],
    ['a subject with a control character', { sub: 'a\u0000b', role: 'client' }],
    ['a subject without end', { sub: 'a'.repeat(256), role: 'client' }],
  ])('is refused with %s', async (_, claims) => {
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(NOW / 1000 + 60)
      .sign(secretBytes(SECRET));
    expect(await verifyToken(keys, token, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it('is refused when it never ends', async () => {
    const token = await new SignJWT({ ...alice }).setProtectedHeader({ alg: 'HS256' }).sign(secretBytes(SECRET));
    expect(await verifyToken(keys, token, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it.each(['HS384', 'HS512'])('is refused under %s', async (alg) => {
    const token = await new SignJWT({ ...alice })
      .setProtectedHeader({ alg })
      .setExpirationTime(NOW / 1000 + 60)
      .sign(new Uint8Array(64));
    expect(await verifyToken({ ...keys, secrets: [new Uint8Array(64)] }, token, NOW)).toMatchObject({ ok: false });
  });

  it('is refused without a signature', async () => {
    const part = (value: object) => btoa(JSON.stringify(value)).replaceAll('=', '');
    const token = `${part({ alg: 'none' })}.${part({ ...alice, exp: NOW / 1000 + 60 })}.`;
    expect(await verifyToken(keys, token, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it.each(['', 'x', 'a.b.c', 'x'.repeat(10_000)])('is refused when it is no JWT', async (token) => {
    expect(await verifyToken(keys, token, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });
});

describe('a token signed by a key set', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' };
  const withSet: TokenKeys = { ...keys, keySet: createLocalJWKSet({ keys: [jwk] }), audience: 'tasklane' };

  const sign = (audience: string) =>
    new SignJWT({ ...alice })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setAudience(audience)
      .setExpirationTime(NOW / 1000 + 60)
      .sign(privateKey);

  it('is good for the audience asked for, and for no other', async () => {
    expect(await verifyToken(withSet, await sign('tasklane'), NOW)).toMatchObject({ ok: true });
    expect(await verifyToken(withSet, await sign('mail'), NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it('is refused where no key set is configured', async () => {
    expect(await verifyToken(keys, await sign('tasklane'), NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it('cannot be forged with the public key as a secret', async () => {
    const forged = await new SignJWT({ ...alice })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .setExpirationTime(NOW / 1000 + 60)
      .sign(new TextEncoder().encode(JSON.stringify(jwk)));
    expect(await verifyToken(withSet, forged, NOW)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it('is neither good nor bad while the key set does not answer', async () => {
    const down: TokenKeys = {
      ...keys,
      keySet: () => Promise.reject(new Error('Network connection lost.')),
    };
    expect(await verifyToken(down, await sign('tasklane'), NOW)).toMatchObject({ ok: false, code: 'unreachable' });
  });
});
