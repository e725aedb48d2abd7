/**
 * Links to bodies that need no token: signed for one action on one body until a time. Whoever holds one may do that and
 * nothing else, and may hand it on. Pure but for the signing.
 *
 * A client's links are signed by the producer. A backend's are signed with the token of its attempt, which the link
 * does not give away: the consumer, which holds no secret of its own, makes them, and the callback Worker checks them.
 */
import { fromHex, toHex } from '../crypto/hex.ts';
import { type MacKey, sign, verify } from '../crypto/mac.ts';

export const LINK_ACTIONS = ['get', 'put', 'part', 'complete'] as const;
export type LinkAction = (typeof LINK_ACTIONS)[number];

export interface LinkClaims {
  readonly action: LinkAction;
  readonly key: string;
  /** Unix seconds. */
  readonly expires: number;
  /** What else the link says, such as the size of what is uploaded: `name=value`, in the order of the link. */
  readonly more?: readonly string[] | undefined;
}

/** 24 bytes of the HMAC: 192 bits. */
const MAC_BYTES = 24;

const encoder = new TextEncoder();

function macInput({ action, key, expires, more = [] }: LinkClaims): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encoder.encode(['body link', action, key, String(expires), ...more].join('\n')));
}

export async function signatureOf(key: MacKey, claims: LinkClaims): Promise<string> {
  return toHex(new Uint8Array(await sign(key, macInput(claims)), 0, MAC_BYTES));
}

export async function isSignatureOf(key: MacKey, claims: LinkClaims, signature: string): Promise<boolean> {
  if (!/^[0-9a-f]{48}$/.test(signature)) return false;
  return verify(key, macInput(claims), fromHex(signature));
}

/** Below the deployment's address: the link of a backend to a payload. */
export function backendLinkPath({ key, expires }: LinkClaims, id: string, run: number, signature: string): string {
  return `/api/bodies/${key}?task=${id}&run=${run}&expires=${expires}&signature=${signature}`;
}
