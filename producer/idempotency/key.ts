/**
 * The key under which a submission is made, from the header `Idempotency-Key`: a string in quotes as the IETF
 * draft has it (draft-ietf-httpapi-idempotency-key-header-07, section 2.1), or the bare text that many clients send.
 */
import { z } from '@hono/zod-openapi';
import type { Refusal } from '../answer/refusal.ts';

const MAX_KEY_CHARS = 255;

export const IdempotencyKeySchema = z
  .string()
  .min(1)
  .max(MAX_KEY_CHARS)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'a key is printable ASCII, without spaces around it');

/** A Structured Fields string (RFC 9651, section 3.3.3): only quotes and backslashes are escaped. */
const QUOTED = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

export type ReadKey =
  | { readonly ok: true; readonly key: string | undefined }
  | { readonly ok: false; readonly reason: string };

export function readKeyHeader(header: string | undefined): ReadKey {
  if (header === undefined) return { ok: true, key: undefined };
  const text = header.trim();
  const quoted = QUOTED.exec(text)?.[1];
  if (quoted === undefined && text.startsWith('"')) {
    return { ok: false, reason: 'is not a string in quotes; escape quotes and backslashes in it, or send it bare' };
  }
  const key = quoted?.replaceAll(/\\(["\\])/g, '$1') ?? text;
  const checked = IdempotencyKeySchema.safeParse(key);
  if (!checked.success) return { ok: false, reason: `must be 1 to ${MAX_KEY_CHARS} characters of printable ASCII` };
  return { ok: true, key };
}

export function invalidKey(reason: string): Refusal {
  const field = 'Idempotency-Key';
  return { code: 'invalid-request', details: { detail: `${field}: ${reason}`, errors: [{ field, reason }] } };
}
