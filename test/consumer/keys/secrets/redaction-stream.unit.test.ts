import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../../../consumer/keys/secrets/redaction.ts';
import { redactedStream } from '../../../../consumer/keys/secrets/redaction-stream.ts';

const KEY = 'sk-live/+="0123456789abcdef';
const redactor = new Redactor([KEY]);

function throughInPieces(text: string, size: number, of = redactor): string {
  let out = '';
  let held = '';
  for (let at = 0; at < text.length; at += size) {
    const part = of.part(held + text.slice(at, at + size));
    out += part.clean;
    held = part.held;
  }
  return out + of.text(held);
}

function streamOf(...pieces: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const left = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece));
  return new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
}

describe('secrets in a body that streams', () => {
  it('are taken out wherever the pieces are cut', () => {
    const escaped = Array.from(KEY, (char) => `\\u00${char.charCodeAt(0).toString(16)}`).join('');
    const body = `before ${KEY} between ${encodeURIComponent(KEY)} ${escaped} ${KEY.replaceAll('"', '&quot;')} after`;
    for (let size = 1; size <= body.length; size++) {
      expect(throughInPieces(body, size), `pieces of ${size}`).toBe(
        'before [redacted] between [redacted] [redacted] [redacted] after',
      );
    }
  });

  it('hold nothing back that cannot become one', () => {
    const passing = (text: string) => ({ clean: text, held: '' });
    expect(redactor.part('data: {"delta":"Hello"}\n\n')).toEqual(passing('data: {"delta":"Hello"}\n\n'));
    // It ends like the beginning of a key, and an event ends with an empty line.
    for (const end of ['s', '7', '115', 'sk-', btoa(KEY).slice(0, 1)]) {
      expect(redactor.part(`data: ${end}\n\n`)).toEqual(passing(`data: ${end}\n\n`));
    }
    expect(redactor.part('a word, then sk-li')).toEqual({ clean: 'a word, then ', held: 'sk-li' });
    expect(redactor.part('sk-little ')).toEqual(passing('sk-little '));
  });

  it('are found when what was held back turns out to be the start of the next', () => {
    expect(throughInPieces('aaaaab', 2, new Redactor(['aaab']))).toBe('aa[redacted]');
  });

  it('are taken out as a whole where one notation ends in the middle of a longer one', () => {
    const key = 'sk-live-0123456789abcde\\';
    const encoded = btoa(JSON.stringify(JSON.stringify({ k: key })));
    const whole = throughInPieces(encoded, encoded.length, new Redactor([key]));
    for (let size = 1; size < encoded.length; size++) {
      expect(throughInPieces(encoded, size, new Redactor([key])), `pieces of ${size}`).toBe(whole);
    }
  });

  it('show less than half of one where the stream ends inside it', () => {
    expect(throughInPieces(`text ${KEY.slice(0, 8)}`, 3)).toBe(`text ${KEY.slice(0, 8)}`);
    expect(throughInPieces(`text ${KEY.slice(0, 20)}`, 3)).toBe('text [redacted]');
  });

  it('leave the bytes of any encoding as they are', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const stream = redactedStream(streamOf(bytes, KEY, bytes), redactor);
    const out = new Uint8Array(await new Response(stream).arrayBuffer());
    expect(out.slice(0, 256)).toEqual(bytes);
    expect(out.slice(-256)).toEqual(bytes);
    expect(new TextDecoder('latin1').decode(out.slice(256, -256))).toBe('[redacted]');
  });

  it('do not pass packed where the body says that it is text', async () => {
    const through = (bytes: Uint8Array, size: number, type: string | null) => {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      return new Response(redactedStream(streamOf(...pieces), redactor, type)).arrayBuffer();
    };
    for (const packed of [gzipSync('any text'), zstdCompressSync('any text')]) {
      for (const size of [1, 3, 1000]) {
        await expect(through(packed, size, 'application/json; charset=utf-8')).rejects.toThrow('packed');
        await expect(through(packed, size, null)).rejects.toThrow('packed');
        expect(new Uint8Array(await through(packed, size, 'application/gzip'))).toEqual(new Uint8Array(packed));
      }
    }
    expect(new TextDecoder().decode(await through(new TextEncoder().encode('('), 1, 'text/plain'))).toBe('(');
  });
});
