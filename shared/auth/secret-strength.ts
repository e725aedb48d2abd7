/**
 * Whether a secret looks like random bytes, and by what two places can be compared without showing it. Guesses at
 * strength refuse what is plainly weak; they do not prove that the rest is random.
 */
import { toHex } from '../crypto/hex.ts';

/** A secret of 32 random bytes has 256; half of it leaves room for the estimate. */
const MIN_BITS = 128;

/** None of them is likely to be met by chance in the alphabets of random secrets (five hexadecimal digits are). */
const PLAIN_WORDS = /secret|passw|change.?me|example|default|tasklane|123456789|qwerty|abcdefgh/i;

export interface SecretReport {
  readonly name: string;
  /** What is wrong with it; undefined: nothing that can be seen. */
  readonly weakness: string | undefined;
  /** The same wherever the same secret is; undefined for a weak one, which could be guessed from it. */
  readonly fingerprint: string | undefined;
}

export function weaknessOf(secret: string): string | undefined {
  if (PLAIN_WORDS.test(secret)) return 'it has words in it';
  if (/^(.{1,16})\1+$/s.test(secret)) return 'it repeats itself';
  if (entropyBits(secret) < MIN_BITS) return 'its characters are too few, or too much alike';
  return undefined;
}

export async function reportSecret(name: string, secret: string): Promise<SecretReport> {
  const weakness = weaknessOf(secret);
  return { name, weakness, fingerprint: weakness === undefined ? await fingerprintOf(secret) : undefined };
}

/** Shannon's, by how often each character occurs: an upper bound for text, about right for random bytes. */
function entropyBits(secret: string): number {
  const characters = [...secret];
  const counts = Map.groupBy(characters, (character) => character);
  let bits = 0;
  for (const { length } of counts.values()) bits -= length * Math.log2(length / characters.length);
  return bits;
}

async function fingerprintOf(secret: string): Promise<string> {
  const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));
  const key = await crypto.subtle.importKey('raw', bytes(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return toHex(new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes('fingerprint')))).slice(0, 16);
}
