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
  const pieces = new CleanPieces(body.getReader(), redactor, type);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await pieces.next();
      if (piece.kind === 'text') controller.enqueue(bytesFromLatin1(piece.text));
      else if (piece.kind === 'end') controller.close();
      else controller.error(piece.error);
    },
    cancel: (reason) => pieces.cancel(reason),
  });
}

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly error: unknown };

class CleanPieces {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #cut: StreamCut;
  readonly #type: string | null;
  /** What came while it is not known whether the body is packed; undefined once it is. */
  #head: string | undefined = '';
  /** A stream that fails drops what nobody has read: the last text goes out with one pull, this with the next. */
  #last: Piece | undefined;
  #hasLastText = false;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, redactor: Redactor, type: string | null) {
    this.#reader = reader;
    this.#cut = new StreamCut(redactor);
    this.#type = type;
  }

  async next(): Promise<Piece> {
    while (this.#last === undefined) {
      const text = await this.#read();
      if (text === '') continue;
      this.#hasLastText = this.#last !== undefined;
      return { kind: 'text', text };
    }
    // On its way to the client the failure would overtake the text that was sent just before it.
    if (this.#last.kind === 'failed' && this.#hasLastText)
      await new Promise((resolve) => setTimeout(resolve, LAST_TEXT_MS));
    return this.#last;
  }

  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }

  async #read(): Promise<string> {
    try {
      const { done, value } = await this.#reader.read();
      if (!done) return this.#take(latin1FromBytes(value));
      this.#last = { kind: 'end' };
    } catch (error) {
      this.#last = { kind: 'failed', error };
    }
    // It may end before anybody could tell.
    if (this.#isPacked()) return '';
    return this.#cut.push(this.#head ?? '') + this.#cut.end();
  }

  #isPacked(): boolean {
    if (this.#head === undefined) return false;
    if (unsaidPackingOf(this.#type, bytesFromLatin1(this.#head.slice(0, TELLING_BYTES))) === undefined) return false;
    const error = new TypeError('the answer is packed without saying so');
    this.#last = { kind: 'failed', error };
    void this.#reader.cancel(error).catch(() => {});
    return true;
  }

  #take(text: string): string {
    if (this.#head === undefined) return this.#cut.push(text);
    this.#head += text;
    if (isPackingOpen(this.#type, bytesFromLatin1(this.#head.slice(0, TELLING_BYTES))) || this.#isPacked()) return '';
    const all = this.#head;
    this.#head = undefined;
    return this.#cut.push(all);
  }
}

const LAST_TEXT_MS = 50;

/** The same over text, piece by piece. Deterministic, without I/O. */
export class StreamCut {
  readonly #redactor: Redactor;
  #held = '';

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  push(piece: string): string {
    const { clean, held } = this.#redactor.part(this.#held + piece);
    this.#held = held;
    return clean;
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#redactor.text(rest);
  }
}
