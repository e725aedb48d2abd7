/**
 * Takes secrets out of a body while it streams through. What may be the start of a secret is held back
 * until it is known not to be one, and nothing else: a server-sent event passes at once. Works on
 * bytes, so that no encoding of the text is broken; secrets are ASCII.
 */
import { REPLACEMENT } from './redaction.ts';

/** @param forms the secrets in every notation that is looked for, from `secretForms` */
export function redactionStream(forms: readonly string[]): TransformStream<Uint8Array, Uint8Array> {
  const cut = new StreamCut(forms);
  return new TransformStream({
    transform(chunk, controller) {
      const text = cut.push(latin1(chunk));
      if (text !== '') controller.enqueue(bytes(text));
    },
    flush(controller) {
      const text = cut.end();
      if (text !== '') controller.enqueue(bytes(text));
    },
  });
}

/** The same for a body that is there as a whole. */
export function redactedBytes(whole: Uint8Array, forms: readonly string[]): Uint8Array {
  if (forms.length === 0) return whole;
  const cut = new StreamCut(forms);
  return bytes(cut.push(latin1(whole)) + cut.end());
}

/** The same over text, piece by piece. Pure but for what it holds back. */
export class StreamCut {
  readonly #forms: readonly string[];
  #held = '';

  constructor(forms: readonly string[]) {
    // The longer first: one form may begin like another.
    this.#forms = [...forms].sort((a, b) => b.length - a.length);
  }

  push(piece: string): string {
    const text = this.#cutOut(this.#held + piece);
    const from = this.#startOfPossibleSecret(text);
    this.#held = text.slice(from);
    return text.slice(0, from);
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  #cutOut(text: string): string {
    return this.#forms.reduce((cleaned, form) => cleaned.replaceAll(form, REPLACEMENT), text);
  }

  /** Where the longest end of `text` starts that is the beginning of a form. */
  #startOfPossibleSecret(text: string): number {
    let start = text.length;
    for (const form of this.#forms) {
      const first = form.charAt(0);
      const earliest = Math.max(0, text.length - form.length + 1);
      for (let at = text.indexOf(first, earliest); at >= 0 && at < start; at = text.indexOf(first, at + 1)) {
        if (form.startsWith(text.slice(at))) start = at;
      }
    }
    return start;
  }
}

function latin1(chunk: Uint8Array): string {
  let text = '';
  for (let at = 0; at < chunk.length; at += 0x2000) text += String.fromCharCode(...chunk.subarray(at, at + 0x2000));
  return text;
}

function bytes(text: string): Uint8Array {
  const encoded = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) encoded[index] = text.charCodeAt(index);
  return encoded;
}
