import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSecrets } from '../../local/secrets.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'tasklane-secrets-'));
  file = path.join(dir, '.dev.vars');
});
afterEach(() => rmSync(dir, { recursive: true }));

const STRONG = 'a-secret-from-the-environment-of-32-bytes-or-more';

describe('secrets of the local run', () => {
  it('are created on the first run, strong, different, readable by the owner alone', () => {
    const { JWT_SECRET, ID_SECRET, CALLBACK_SECRET, WEBHOOK_SECRET } = loadSecrets([], file, {});
    expect(new Set([JWT_SECRET, ID_SECRET, CALLBACK_SECRET, WEBHOOK_SECRET]).size).toBe(4);
    for (const secret of [JWT_SECRET, ID_SECRET, CALLBACK_SECRET, WEBHOOK_SECRET])
      expect(secret).toMatch(/^[\w-]{64}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('are kept afterwards', () => {
    const first = loadSecrets([], file, {});
    expect(loadSecrets([], file, {})).toEqual(first);
  });

  it('come from the environment first, and the file does not learn them', () => {
    expect(loadSecrets([], file, { JWT_SECRET: STRONG }).JWT_SECRET).toBe(STRONG);
    expect(readFileSync(file, 'utf8')).not.toContain(STRONG);
    expect(readFileSync(file, 'utf8')).not.toContain('JWT_SECRET');
  });

  it('leave what else is in the file as it is, and narrow its rights', () => {
    writeFileSync(file, 'PROVIDER_KEY="k 1" # mine', { mode: 0o644 });
    const secrets = loadSecrets(['PROVIDER_KEY', 'NOT_SET'], file, {});
    expect(secrets).toMatchObject({ PROVIDER_KEY: 'k 1' });
    expect(secrets).not.toHaveProperty('NOT_SET');
    expect(readFileSync(file, 'utf8')).toMatch(/^PROVIDER_KEY="k 1" # mine\nJWT_SECRET=/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('are not taken when too short, and the message does not show them', () => {
    expect(() => loadSecrets([], file, { ID_SECRET: 'weak-one' })).toThrow(/^ID_SECRET is too short/);
    expect(() => loadSecrets([], file, { ID_SECRET: 'weak-one' })).not.toThrow(/weak-one/);
  });
});
