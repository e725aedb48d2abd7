/**
 * Task ids: `tsk_` and 32 characters of Crockford base32, lower case, over 20 bytes:
 *
 *   6 bytes  creation time, Unix milliseconds, big-endian
 *   1 byte   store number: which database holds the row
 *   7 bytes  random
 *   6 bytes  HMAC over the 14 bytes above and the owner's subject, truncated to 48 bits
 *
 * Ids sort by time, so the primary key is the timeline. The MAC lets a Worker refuse a forged id, or
 * one of another owner, without asking the database. It does not replace the owner check on a row.
 *
 * The message that tells of a task's end is a task too (`shared/webhook/hook.ts`): its id is that of the task and `_w1`, or `_w2`
 * when the task ended a second time. It stands in the same store, belongs to the same owner, and sorts behind it.
 */
import { CROCKFORD_ALPHABET } from '../crypto/base32.ts';
import { type MacKey, sign, verify } from '../crypto/mac.ts';

const PREFIX = 'tsk_';
const HEAD_BYTES = 14;
const ID_BYTES = 20;
const MAC_BYTES = ID_BYTES - HEAD_BYTES;

export const TASK_ID_PATTERN = /^tsk_[0-9a-hjkmnp-tv-z]{32}(?:_w[1-9]\d{0,5})?$/;
const TASK_ID_CHARS = 36;

const encoder = new TextEncoder();

/** The store number is one byte. */
export const MAX_STORES = 256;

/**
 * A new id for a task of `subject`, created at `now` (Unix milliseconds).
 * @param store the number of the database that will hold its row
 */
export async function mintTaskId(key: MacKey, subject: string, now: number, store: number): Promise<string> {
  const bytes = new Uint8Array(ID_BYTES);
  crypto.getRandomValues(bytes.subarray(7, HEAD_BYTES));
  writeTime(bytes, now);
  bytes[6] = store;
  const mac = await sign(key, macInput(bytes, subject));
  bytes.set(new Uint8Array(mac, 0, MAC_BYTES), HEAD_BYTES);
  return PREFIX + encode(bytes);
}

/** True when this deployment minted `id` for `subject`. */
export async function isTaskIdOf(key: MacKey, id: string, subject: string): Promise<boolean> {
  const bytes = decode(id);
  if (bytes === undefined) return false;
  return verify(key, macInput(bytes, subject), bytes.slice(HEAD_BYTES));
}

/** True of the message that tells of a task's end: it has a row from its first moment. */
export function isMessageId(id: string): boolean {
  return id.length > TASK_ID_CHARS;
}

/** The creation time in an id, Unix milliseconds. The id must match `TASK_ID_PATTERN`. */
export function taskCreatedAt(id: string): number {
  let time = 0;
  // 48 bits are 9 characters and 3 bits of the tenth.
  for (let index = 0; index < 9; index++) time = time * 32 + digit(id, index);
  return time * 8 + (digit(id, 9) >> 2);
}

/** The number of the store that holds the task's row. The id must match `TASK_ID_PATTERN`. */
export function storeOfTask(id: string): number {
  // Bits 48 to 55: two in the tenth character, five in the next, one in the one after it.
  return ((digit(id, 9) & 3) << 6) | (digit(id, 10) << 1) | (digit(id, 11) >> 4);
}

/** The smallest id that a task created at `time` (Unix milliseconds) can have: a bound for ranges. */
export function smallestTaskIdAt(time: number): string {
  const bytes = new Uint8Array(ID_BYTES);
  writeTime(bytes, time);
  return PREFIX + encode(bytes);
}

/** The first 16 bytes of the id as hex: the trace of a task whose client sent none, the same at every attempt. */
export function traceIdOf(id: string): string {
  let hex = '';
  for (let index = 0; hex.length < 32; index += 4) hex += (0x100000 | bitsAt(id, index)).toString(16).slice(1);
  return hex.slice(0, 32);
}

/** By character code. */
const DIGITS = new Uint8Array(128);
for (let value = 0; value < CROCKFORD_ALPHABET.length; value++) DIGITS[CROCKFORD_ALPHABET.charCodeAt(value)] = value;

/** The id must match `TASK_ID_PATTERN`. */
function digit(id: string, index: number): number {
  return DIGITS[id.charCodeAt(PREFIX.length + index)] ?? 0;
}

function writeTime(bytes: Uint8Array, time: number): void {
  for (let at = 5, rest = time; at >= 0; at -= 1) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function macInput(bytes: Uint8Array, subject: string): Uint8Array<ArrayBuffer> {
  const input = new Uint8Array(HEAD_BYTES + subject.length);
  for (let at = 0; at < HEAD_BYTES; at += 1) input[at] = bytes[at] ?? 0;
  // Character by character where each is one byte, which is quicker than an encoder for so few.
  for (let index = 0; index < subject.length; index += 1) {
    const code = subject.charCodeAt(index);
    if (code > 127) return new Uint8Array([...bytes.subarray(0, HEAD_BYTES), ...encoder.encode(subject)]);
    input[HEAD_BYTES + index] = code;
  }
  return input;
}

/** Two characters by their ten bits. */
const PAIRS = Array.from(CROCKFORD_ALPHABET, (first) =>
  Array.from(CROCKFORD_ALPHABET, (second) => first + second),
).flat();

/** Five bytes are four pairs of characters. */
function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 5) {
    const middle = bytes[at + 2] ?? 0;
    const high = ((bytes[at] ?? 0) << 12) | ((bytes[at + 1] ?? 0) << 4) | (middle >> 4);
    const low = ((middle & 15) << 16) | ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    text += `${PAIRS[high >> 10]}${PAIRS[high & 1023]}${PAIRS[low >> 10]}${PAIRS[low & 1023]}`;
  }
  return text;
}

function decode(id: string): Uint8Array<ArrayBuffer> | undefined {
  if (!TASK_ID_PATTERN.test(id)) return undefined;
  const bytes = new Uint8Array(ID_BYTES);
  for (let at = 0, index = 0; at < ID_BYTES; at += 5, index += 8) {
    const high = bitsAt(id, index);
    const low = bitsAt(id, index + 4);
    bytes[at] = high >> 12;
    bytes[at + 1] = high >> 4;
    bytes[at + 2] = (high << 4) | (low >> 16);
    bytes[at + 3] = low >> 8;
    bytes[at + 4] = low;
  }
  return bytes;
}

/** The twenty bits of four characters. */
function bitsAt(id: string, index: number): number {
  return (digit(id, index) << 15) | (digit(id, index + 1) << 10) | (digit(id, index + 2) << 5) | digit(id, index + 3);
}
