/**
 * The local run's secrets: from the environment, else from `.dev.vars`, where a strong random one is
 * written on the first run and kept. They are never printed, and never on a command line.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { ROOT } from '../deploy/plan/plan-files.ts';
import { SecretSchema } from '../shared/env.ts';
import { keyNameOf } from '../shared/key/name.ts';
import { LaunchError } from '../terminal/launch-error.ts';

const GENERATED = ['JWT_SECRET', 'ID_SECRET', 'CALLBACK_SECRET', 'WEBHOOK_SECRET'] as const;

export type LocalSecrets = Readonly<Record<(typeof GENERATED)[number], string>> & Readonly<Record<string, string>>;

const DEV_VARS = path.join(ROOT, '.dev.vars');

/** 48 bytes are 64 base64url characters: more than the 32 that are asked for. */
const SECRET_BYTES = 48;

/**
 * Those that are created when missing, and those `others` that are set somewhere.
 * @throws LaunchError when one of them is too short to be safe
 */
export function loadSecrets(
  others: readonly string[] = [],
  file = DEV_VARS,
  environment: NodeJS.ProcessEnv = process.env,
): LocalSecrets {
  const kept = existsSync(file) ? (parseEnv(readFileSync(file, 'utf8')) as Record<string, string>) : {};
  const secrets: Record<string, string> = {};
  for (const name of [...GENERATED, ...others]) {
    const value = environment[name] || kept[name];
    if (value) secrets[name] = value;
  }
  const missing = GENERATED.filter((name) => secrets[name] === undefined);
  const created = Object.fromEntries(missing.map((name) => [name, randomBytes(SECRET_BYTES).toString('base64url')]));
  if (missing.length > 0) append(file, created);
  for (const name of GENERATED) {
    const { success, error } = SecretSchema.safeParse(secrets[name] ?? created[name]);
    if (!success) throw new LaunchError(`${name} ${error.issues[0]?.message}`);
  }
  return { ...secrets, ...created } as LocalSecrets;
}

/** The names of the API keys that are set: in `values`, or in the environment and the file. */
export function keyVariables(
  values?: Readonly<Record<string, string>>,
  file = DEV_VARS,
  environment: NodeJS.ProcessEnv = process.env,
): string[] {
  const set = values ?? { ...(existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}), ...environment };
  return Object.keys(set).filter((name) => set[name] && keyNameOf(name) !== undefined);
}

function append(file: string, secrets: Readonly<Record<string, string>>): void {
  const head = existsSync(file)
    ? readFileSync(file, 'utf8').replace(/\n?$/, '\n')
    : '# Secrets of the local run, created on its first start. Not for production, not for git.\n';
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, head + lines.join(''), { mode: 0o600 });
  chmodSync(file, 0o600);
}
