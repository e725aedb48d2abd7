/**
 * Secrets that `--generate-secrets` makes. They are written down, readable by their owner alone, before
 * anything is changed in the account, so that a run that ends in the middle is continued with the same.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { SecretValues } from './secret-values.ts';

/** 48 bytes are 64 base64url characters: more than the 32 that are asked for. */
const SECRET_BYTES = 48;

/** @returns values for `names`, those of an earlier run where the file has them */
export function generateSecrets(file: string, names: readonly string[]): SecretValues {
  const kept: Record<string, string | undefined> = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  const values = names.map((name) => [name, kept[name] ?? randomBytes(SECRET_BYTES).toString('base64url')] as const);
  const lines = Object.entries({ ...kept, ...Object.fromEntries(values) }).map(([name, value]) => `${name}=${value}\n`);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(
    file,
    `# Made by npm run deploy. Keep them in a safe place, then remove this file.\n${lines.join('')}`,
    {
      mode: 0o600,
    },
  );
  return new SecretValues(values);
}
