/**
 * Keyed hashes (HMAC-SHA-256) with a key that can be rotated: signing uses the current secret,
 * verifying accepts the current and the previous one. Secrets shorter than 32 bytes are refused
 * where the environment is parsed; this file does not check them again.
 */

export interface MacKey {
  readonly current: CryptoKey;
  readonly previous: CryptoKey | undefined;
}

const algorithm = { name: 'HMAC', hash: 'SHA-256' } as const;
const encoder = new TextEncoder();

function importSecret(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign']);
}

export async function importMacKey(secret: string, previousSecret?: string): Promise<MacKey> {
  return {
    current: await importSecret(secret),
    previous: previousSecret === undefined ? undefined : await importSecret(previousSecret),
  };
}

/** The 32-byte HMAC of `data` under the current secret. */
export function sign(key: MacKey, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  return crypto.subtle.sign('HMAC', key.current, data);
}

/** True when `mac` is a prefix of the HMAC of `data` under either secret, compared in constant time. */
export async function verify(
  key: MacKey,
  data: Uint8Array<ArrayBuffer>,
  mac: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  for (const secret of [key.current, key.previous]) {
    if (secret === undefined) continue;
    const expected = new Uint8Array(await crypto.subtle.sign('HMAC', secret, data));
    if (equalPrefix(expected, mac)) return true;
  }
  return false;
}

function equalPrefix(expected: Uint8Array, received: Uint8Array): boolean {
  if (received.length === 0 || received.length > expected.length) return false;
  let difference = 0;
  for (let index = 0; index < received.length; index++) {
    difference |= (expected[index] ?? 0) ^ (received[index] ?? 0);
  }
  return difference === 0;
}
