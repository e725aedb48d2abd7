/**
 * The token of one run: its number and an HMAC over task and run. Whoever holds it may report on that
 * run and on nothing else; whether the report still counts is for the task's state to say.
 */
import { fromHex, toHex } from '../shared/crypto/hex.ts';
import { type MacKey, sign, verify } from '../shared/crypto/mac.ts';

/** 24 bytes of the HMAC: 192 bits. */
const MAC_BYTES = 24;
const TOKEN_PATTERN = /^([1-9]\d{0,8})\.([0-9a-f]{48})$/;

const encoder = new TextEncoder();

function macInput(id: string, run: number): Uint8Array<ArrayBuffer> {
  return encoder.encode(`callback ${id} ${run}`) as Uint8Array<ArrayBuffer>;
}

export async function mintCallbackToken(key: MacKey, id: string, run: number): Promise<string> {
  const mac = await sign(key, macInput(id, run));
  return `${run}.${toHex(new Uint8Array(mac, 0, MAC_BYTES))}`;
}

/** The tokens of a run, under the current secret and the one before it. */
export async function callbackTokensOf({ current, previous }: MacKey, id: string, run: number): Promise<string[]> {
  const secrets = [current, previous].filter((secret) => secret !== undefined);
  return Promise.all(secrets.map((secret) => mintCallbackToken({ current: secret, previous: undefined }, id, run)));
}

/** The run that `token` speaks for, or undefined when it is not a token of this task. */
export async function runOfCallbackToken(key: MacKey, id: string, token: string): Promise<number | undefined> {
  const [, digits, text] = TOKEN_PATTERN.exec(token) ?? [];
  if (digits === undefined || text === undefined) return undefined;
  const run = Number(digits);
  const mac = fromHex(text);
  return (await verify(key, macInput(id, run), mac)) ? run : undefined;
}
