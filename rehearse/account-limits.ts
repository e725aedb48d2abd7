/**
 * How much an account takes, by its plan: developers.cloudflare.com/workers/platform/limits and
 * /queues/platform/limits, November 2026.
 */
import type { UploadMetadata } from '../deploy/upload/metadata.ts';
import { ApiRefusal } from './refusal.ts';

export interface AccountLimits {
  readonly workers: number;
  readonly variables: number;
  readonly crons: number;
  readonly retentionSeconds: number;
}

export const PAID: AccountLimits = { workers: 500, variables: 128, crons: 250, retentionSeconds: 1_209_600 };
export const FREE: AccountLimits = { workers: 100, variables: 64, crons: 5, retentionSeconds: 86_400 };

/** A variable's name and value, and a secret's. */
const MAX_VARIABLE_BYTES = 5 * 1024;

/** As of the runtime that this rehearsal stands for; the account refuses dates that it has not reached. */
const NEWEST_COMPATIBILITY_DATE = '2026-11-27';

const KNOWN_FLAGS = new Set(['enable_request_signal', 'global_fetch_strictly_public', 'nodejs_compat']);

/** @throws Refusal */
export function checkCompatibility({ compatibility_date, compatibility_flags }: UploadMetadata): void {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(compatibility_date) || compatibility_date > NEWEST_COMPATIBILITY_DATE) {
    throw new ApiRefusal(400, 10021, `can't set compatibility date in the future: ${compatibility_date}`);
  }
  for (const flag of compatibility_flags) {
    if (!KNOWN_FLAGS.has(flag)) throw new ApiRefusal(400, 10021, `no such compatibility flag: ${flag}`);
  }
}

/**
 * @param secrets of the version that is to be
 * @throws Refusal
 */
export function checkVariables(
  { bindings }: UploadMetadata,
  secrets: ReadonlyMap<string, string>,
  limits: AccountLimits,
): void {
  const variables = bindings.filter(({ type }) => type === 'plain_text' || type === 'json');
  for (const { name, text, json } of variables) {
    checkSize(name, typeof text === 'string' ? text : JSON.stringify(json));
  }
  for (const [name, value] of secrets) checkSize(name, value);
  if (variables.length + secrets.size > limits.variables) {
    throw new ApiRefusal(400, 10055, `more than ${limits.variables} environment variables and secrets`);
  }
}

function checkSize(name: string, value: string): void {
  if (Buffer.byteLength(value) > MAX_VARIABLE_BYTES) throw new ApiRefusal(400, 10054, `${name} is larger than 5 KB`);
}
