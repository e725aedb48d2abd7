import { describe, expect, it, vi } from 'vitest';
import { Authenticator } from '../../../shared/auth/authenticator.ts';
import type { ReadRevoked } from '../../../shared/auth/revocation-list.ts';
import { secretBytes, signToken } from '../../../shared/auth/token.ts';

const SECRET = 'a secret of the tests, at least 32 bytes';
const NOW = Date.UTC(2026, 10, 20);

function authenticatorWith(read: ReadRevoked): Authenticator {
  return new Authenticator(
    { secrets: [secretBytes(SECRET)], keySet: undefined, issuer: undefined, audience: undefined },
    read,
  );
}

const token = (jti?: string) => signToken({ sub: 'alice', role: 'client', jti }, SECRET, 3600, NOW);

describe('authentication', () => {
  it('never asks the database about a token that cannot be revoked', async () => {
    const read = vi.fn<ReadRevoked>();
    expect(await authenticatorWith(read).authenticate(await token(), NOW)).toMatchObject({ ok: true });
    expect(read).not.toHaveBeenCalled();
  });

  it('reads the list of revoked tokens once in half a minute', async () => {
    const read = vi.fn<ReadRevoked>(async () => ['other']);
    const authenticator = authenticatorWith(read);
    for (const seconds of [0, 1, 29]) await authenticator.authenticate(await token('j1'), NOW + seconds * 1000);
    expect(read).toHaveBeenCalledTimes(1);
    await authenticator.authenticate(await token('j1'), NOW + 30_000);
    expect(read).toHaveBeenCalledTimes(2);
  });

  it('refuses a revoked token even while its signature is remembered', async () => {
    let revoked: string[] = [];
    const authenticator = authenticatorWith(async () => revoked);
    const mine = await token('j1');
    expect(await authenticator.authenticate(mine, NOW)).toMatchObject({ ok: true });
    revoked = ['j1'];
    expect(await authenticator.authenticate(mine, NOW + 30_000)).toMatchObject({ ok: false, code: 'unauthenticated' });
  });

  it('refuses at once what was revoked through this isolate', async () => {
    const authenticator = authenticatorWith(async () => []);
    const mine = await token('j1');
    await authenticator.authenticate(mine, NOW);
    authenticator.forget('j1');
    expect(await authenticator.authenticate(mine, NOW + 1)).toMatchObject({ ok: false });
  });

  it('does not guess before the list was read once', async () => {
    const authenticator = authenticatorWith(() => Promise.reject(new Error('down')));
    expect(await authenticator.authenticate(await token('j1'), NOW)).toMatchObject({ ok: false, code: 'unavailable' });
  });

  it('goes on with the last list while the database is down', async () => {
    let down = false;
    const authenticator = authenticatorWith(async () => {
      if (down) throw new Error('down');
      return ['bad'];
    });
    await authenticator.authenticate(await token('good'), NOW);
    down = true;
    expect(await authenticator.authenticate(await token('good'), NOW + 60_000)).toMatchObject({ ok: true });
    expect(await authenticator.authenticate(await token('bad'), NOW + 60_000)).toMatchObject({ ok: false });
  });

  it('forgets a remembered token when it ends', async () => {
    const authenticator = authenticatorWith(async () => []);
    const brief = await signToken({ sub: 'alice', role: 'client' }, SECRET, 10, NOW);
    expect(await authenticator.authenticate(brief, NOW)).toMatchObject({ ok: true });
    expect(await authenticator.authenticate(brief, NOW + 76_000)).toMatchObject({ ok: false, code: 'unauthenticated' });
  });
});
