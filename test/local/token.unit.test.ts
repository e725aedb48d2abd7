import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { secretBytes, verifyToken } from '../../shared/auth/token.ts';

const SECRET = 'a-secret-of-the-deployment-of-32-bytes-or-more';

function token(args: readonly string[], env: Record<string, string> = { PROD_SECRET: SECRET }) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['local/token.ts', ...args], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('npm run token', () => {
  it('prints a token and nothing else', async () => {
    const args = ['--role', 'client', '--sub', 'alice', '--ttl', '30m', '--jti', 'one', '--secret-env', 'PROD_SECRET'];
    const startedAt = Date.now();
    const { status, stdout, stderr } = token(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const keys = { secrets: [secretBytes(SECRET)], keySet: undefined, issuer: undefined, audience: undefined };
    const check = await verifyToken(keys, stdout.trimEnd(), Date.now());
    expect(check).toMatchObject({ ok: true, principal: { subject: 'alice', role: 'client', jti: 'one' } });
    const signedAt = (check.ok ? check.principal.expiresAt : 0) - 30 * 60_000;
    // In whole seconds.
    expect(signedAt).toBeGreaterThanOrEqual(startedAt - 1_000);
    expect(signedAt).toBeLessThanOrEqual(Date.now() + 1_000);
  });

  it.each([
    [['--sub', 'alice'], /^token: --role is one of admin, /],
    [['--role', 'root', '--sub', 'alice'], /^token: --role is one of/],
    [['--role', 'client'], /^token: --sub says who/],
    [['--role', 'client', '--sub', 'alice', '--ttl', 'soon'], /^token: --ttl is like/],
    [
      ['--role', 'client', '--sub', 'alice', '--secret-env', 'NOT_THERE'],
      /^token: the environment variable NOT_THERE is missing/,
    ],
    [
      ['--role', 'client', '--sub', 'alice', '--secret', 'x'],
      /^token: there is no option --secret; did you mean --secret-env\?/,
    ],
  ])('says in one line what is wrong with %j', (args, message) => {
    const { status, stdout, stderr } = token(args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
