/** Tokens for the local run, one per role, and the file that tells scripts where it is. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Role } from '../shared/auth/role.ts';
import { signToken } from '../shared/auth/token.ts';

const LIFETIME_SECONDS = 7 * 86_400;

/** Who a token of each role speaks for. */
export const SUBJECTS: Readonly<Record<Role, string>> = {
  admin: 'admin',
  client: 'demo',
  server: 'backend',
  viewer: 'viewer',
};

export type RoleTokens = Readonly<Record<Role, string>>;

export async function signRoleTokens(secret: string): Promise<RoleTokens> {
  const token = (role: Role) =>
    signToken({ role, sub: SUBJECTS[role], jti: crypto.randomUUID() }, secret, LIFETIME_SECONDS);
  return {
    admin: await token('admin'),
    client: await token('client'),
    server: await token('server'),
    viewer: await token('viewer'),
  };
}

/** Readable by its owner alone. @returns the file, as seen from the current directory */
export function writeLocalFile(dir: string, url: string, tokens: RoleTokens): string {
  const file = path.join(dir, 'local.json');
  mkdirSync(path.dirname(file), { recursive: true });
  const content = { url, dashboardUrl: `${url}/dashboard`, tokens };
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return path.relative('.', file);
}
