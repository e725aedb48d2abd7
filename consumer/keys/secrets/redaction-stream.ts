/**
 * Takes secrets out of a body while it streams through. What may be the start of a secret is held back
 * until it is known not to be one, and nothing else: a server-sent event passes at once. A body that
 * breaks off loses nothing of what had come: the held-back end goes out before the error does.
 */
import { isPackingOpen, TELLING_BYTES, unsaidPackingOf } from '../../../shared/sync/packing.ts';
import { bytesFromLatin1, latin1FromBytes } from './latin1.ts';
import type { Redactor } from './redaction.ts';

/** @param type the media type that was said: what is said to be text and begins like a packed file is not passed on */
export function redactedStream(
  body: ReadableStream<Uint8Array>,
  redactor: Redactor,
  type: string | null = null,
): ReadableStream<Uint8Array> {
  if (redactor.isEmpty) return body;
  const reader = body.getReader();
  const pieces = cleanPieces(reader, redactor, type);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(bytesFromLatin1(value));
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** A stream that fails drops what nobody has read: the last text goes out with one pull, the failure with the next. */
async function* cleanPieces(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  redactor: Redactor,
  type: string | null,
): AsyncGenerator<string> {
  let held = '';
  let isPackingKnown = false;
  for (;;) {
    const read = await reader.read().catch((error: unknown) => ({ done: true, broken: { error } }) as const);
    if (!read.done) held += latin1FromBytes(read.value);
    if (!isPackingKnown) {
      const head = bytesFromLatin1(held.slice(0, TELLING_BYTES));
      // It may end before anybody could tell.
      if (!read.done && isPackingOpen(type, head)) continue;
      if (unsaidPackingOf(type, head) !== undefined) {
        const error = new TypeError('the answer is packed without saying so');
        void reader.cancel(error).catch(() => {});
        throw error;
      }
      isPackingKnown = true;
    }
    if (!read.done) {
      const part = redactor.part(held);
      held = part.held;
      if (part.clean !== '') yield part.clean;
      continue;
    }
    const last = redactor.text(held);
    if (last !== '') yield last;
    if (!('broken' in read)) return;
    // On its way to the client the failure would overtake the text that was sent just before it.
    if (last !== '') await new Promise((resolve) => setTimeout(resolve, LAST_TEXT_MS));
    throw read.broken.error;
  }
}

const LAST_TEXT_MS = 50;
