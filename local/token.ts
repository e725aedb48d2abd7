/**
 * `npm run token`: prints a JWT, and nothing else, so that a script can take it. The secret comes from
 * the environment or from the local run's `.dev.vars`, never from the command line, which others see.
 */

import { ROLES, type Role } from '../shared/auth/role.ts';
import { claimsFault, signToken } from '../shared/auth/token.ts';
import { SecretSchema } from '../shared/env.ts';
import { LaunchError, reasonOf } from '../terminal/launch-error.ts';
import { parseOptions } from '../terminal/options.ts';
import { loadSecrets } from './secrets.ts';

const HELP = `Prints a token.

  npm run token -- --role client --sub alice
                   [--ttl 12h] [--jti ID] [--services A,B] [--read]
                   [--secret-env NAME]

  --role         ${ROLES.join(', ')}
  --sub          who it speaks for; a client sees the tasks of its own subject
  --ttl          how long it is good for: 30m, 12h, 7d (12h)
  --services     only for these, such as ocr,llm (all that its role reaches)
  --read         only for reading
  --jti          its id, by which it can be revoked (a random one)
  --secret-env   the environment variable that holds the secret to sign with
                 (by default the local run's: JWT_SECRET, else .dev.vars)`;

const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const MAX_TTL_SECONDS = 366 * 86_400;

function readRole(text: string | undefined): Role {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw new LaunchError(`--role is one of ${ROLES.join(', ')}`);
  return role;
}

function readTtlSeconds(text: string): number {
  const [, amount = '', unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const seconds = Number(amount) * (SECONDS_OF_UNIT[unit] ?? 0);
  if (seconds < 1 || seconds > MAX_TTL_SECONDS) throw new LaunchError('--ttl is like 30m, 12h or 7d, a year at most');
  return seconds;
}

function readSecret(variable: string | undefined): string {
  if (variable === undefined) return loadSecrets().JWT_SECRET;
  const { success, error, data } = SecretSchema.safeParse(process.env[variable]);
  if (!success) throw new LaunchError(`the environment variable ${variable} ${error.issues[0]?.message}`);
  return data;
}

async function printToken(): Promise<void> {
  const { values } = parseOptions({
    options: {
      role: { type: 'string' },
      sub: { type: 'string' },
      ttl: { type: 'string', default: '12h' },
      jti: { type: 'string', default: crypto.randomUUID() },
      services: { type: 'string' },
      read: { type: 'boolean', default: false },
      'secret-env': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const role = readRole(values.role);
  if (!values.sub) throw new LaunchError('--sub says who the token speaks for');
  const lifetimeSeconds = readTtlSeconds(values.ttl);
  const { sub, jti, read } = values;
  const claims = { role, sub, jti, read: read || undefined, services: values.services?.split(',') };
  const fault = claimsFault(claims);
  if (fault !== undefined) throw new LaunchError(fault);
  console.log(await signToken(claims, readSecret(values['secret-env']), lifetimeSeconds));
}

try {
  await printToken();
} catch (error) {
  console.error(`token: ${reasonOf(error)}; see npm run token -- --help`);
  process.exitCode = 1;
}
