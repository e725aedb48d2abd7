/**
 * How bodies are named in the bucket. The name says whose they are, so that nobody needs an index to find a task's
 * bodies or the task of a body; names sort by time, as ids do. Pure, but for `newResultKey`.
 *
 *   t.<task>.payload          the payload of a task
 *   t.<task>.result-<random>  a result; only the one that the task's row names counts
 *   u.<upload>.payload        a payload that was uploaded before its task was submitted
 *   u.<upload>.task           says which task took the upload, once and for all
 */
import { toHex } from '../crypto/hex.ts';

const ID = '[0-9a-hjkmnp-tv-z]{32}';
const KEY = new RegExp(`^(?:t\\.(${ID})\\.(payload|result-[0-9a-f]{16})|u\\.(${ID})\\.(payload|task))$`);

const TASK_PREFIX = 'tsk_';
const UPLOAD_PREFIX = 'upl_';

export const UPLOAD_ID_PATTERN = new RegExp(`^${UPLOAD_PREFIX}${ID}$`);

export function payloadKey(taskId: string): string {
  return `t.${taskId.slice(TASK_PREFIX.length)}.payload`;
}

/** Each time another one: a result that comes late overwrites none that was recorded. */
export function newResultKey(taskId: string): string {
  return `t.${taskId.slice(TASK_PREFIX.length)}.result-${toHex(crypto.getRandomValues(new Uint8Array(8)))}`;
}

export function uploadKey(uploadId: string): string {
  return `u.${uploadId.slice(UPLOAD_PREFIX.length)}.payload`;
}

export function takenKey(uploadId: string): string {
  return `u.${uploadId.slice(UPLOAD_PREFIX.length)}.task`;
}

/** Uploads are minted like tasks, with a prefix of their own. */
export function uploadIdFrom(taskId: string): string {
  return UPLOAD_PREFIX + taskId.slice(TASK_PREFIX.length);
}

export function taskIdFrom(uploadId: string): string {
  return TASK_PREFIX + uploadId.slice(UPLOAD_PREFIX.length);
}

export type BodyOwner =
  | { readonly kind: 'task'; readonly task: string; readonly isPayload: boolean }
  | { readonly kind: 'upload'; readonly upload: string; readonly isPayload: boolean };

/** @returns undefined for what is no name of a body */
export function ownerOf(key: string): BodyOwner | undefined {
  const [, task, ofTask, upload, ofUpload] = KEY.exec(key) ?? [];
  if (task !== undefined) return { kind: 'task', task: TASK_PREFIX + task, isPayload: ofTask === 'payload' };
  if (upload !== undefined) {
    return { kind: 'upload', upload: UPLOAD_PREFIX + upload, isPayload: ofUpload === 'payload' };
  }
  return undefined;
}
