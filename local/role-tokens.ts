/** Tokens for the local run, one per role, and the file that tells scripts where it is. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROLES, type Role } from '../shared/auth/role.ts';
import { signToken } from '../shared/auth/token.ts';

const LIFETIME_SECONDS = 7 * 86_400;

/** Whom the token of a client speaks for. */
export const DEMO_CLIENT = 'demo';

/** Whom other tokens speak for than for somebody of their role's name. */
const SUBJECTS: Readonly<Partial<Record<Role, string>>> = { client: DEMO_CLIENT, server: 'backend' };

export type RoleTokens = Readonly<Record<Role, string>>;

export async function signRoleTokens(secret: string): Promise<RoleTokens> {
  const token = (role: Role) =>
    signToken({ role, sub: SUBJECTS[role] ?? role, jti: crypto.randomUUID() }, secret, LIFETIME_SECONDS);
  return Object.fromEntries(
    await Promise.all(ROLES.map(async (role) => [role, await token(role)] as const)),
  ) as unknown as RoleTokens;
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
