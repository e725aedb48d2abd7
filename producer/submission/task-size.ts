/**
 * How large a task is on the queue, and making it fit: a message may hold 128,000 bytes, and text
 * inside a JSON message can grow sixfold by escapes. Base64 grows by a third only, so a body of the
 * inline limit always fits.
 */
import { utf8Bytes } from '../../shared/bytes.ts';
import { type NewTask, newTaskMessage } from '../../shared/message/task-message.ts';
import { base64FromBytes, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import type { TaskRequest } from '../../shared/task/request.ts';

/** Cloudflare Queues counts about 100 bytes of metadata with each message. */
const METADATA_BYTES = 100;

/** The limit of one message, and of one `sendBatch`, in bytes. */
const MAX_MESSAGE_BYTES = 128_000 - METADATA_BYTES;
const MAX_CHUNK_BYTES = 256_000;
const MAX_CHUNK_MESSAGES = 100;

/** Its id, its subject, its trace, and what a hook is sent with: what a task has beside a submission. */
const OWN_BYTES = 6_000;

/** JSON of all that a submission says beside its payload: so much fits beside the largest one, in base64. */
export const MAX_REST_BYTES = MAX_MESSAGE_BYTES - 4 * Math.ceil(MAX_INLINE_BYTES / 3) - OWN_BYTES;

/** Below this many characters of body no escaping brings a message near the limit. */
const SAFE_BODY_CHARS = 12_000;

const encoder = new TextEncoder();

/** What may make the rest of a task long. Everything else has a bound, and all of that together is far below `MAX_REST_BYTES`. */
export function mayBeLong({ labels, hook, request }: Sayings): boolean {
  const { headers, requirements, answers, fallback } = request;
  return [labels, hook, headers, requirements, answers, fallback].some((said) => said !== undefined);
}

interface Sayings {
  readonly labels?: unknown;
  readonly hook?: unknown;
  readonly request: TaskRequest;
}

export function restBytes<Draft extends { readonly request: TaskRequest }>(draft: Draft): number {
  return utf8Bytes(JSON.stringify({ ...draft, request: { ...draft.request, body: undefined } }));
}

/** The task as it is, or with its body in base64 when it would be too large otherwise. */
export function fitToMessage(task: NewTask): NewTask {
  const { body } = task.request;
  if (body === undefined || body.encoding === 'base64' || body.text.length <= SAFE_BODY_CHARS) return task;
  if (messageBytes(task) <= MAX_MESSAGE_BYTES) return task;
  const text = base64FromBytes(encoder.encode(body.text));
  return { ...task, request: { ...task.request, body: { type: body.type, encoding: 'base64', text } } };
}

/** Tasks in order, in groups that one `sendBatch` takes. */
export function chunkTasks(tasks: readonly NewTask[]): NewTask[][] {
  const chunks: NewTask[][] = [];
  let chunk: NewTask[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = messageBytes(task) + METADATA_BYTES;
    if (chunk.length > 0 && (chunk.length === MAX_CHUNK_MESSAGES || bytes + size > MAX_CHUNK_BYTES)) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(task);
    bytes += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

function messageBytes(task: NewTask): number {
  return utf8Bytes(JSON.stringify(newTaskMessage(task)));
}
