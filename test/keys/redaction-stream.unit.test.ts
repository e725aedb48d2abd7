import { describe, expect, it } from 'vitest';
import { secretForms } from '../../consumer/keys/secrets/redaction.ts';
import { redactionStream, StreamCut } from '../../consumer/keys/secrets/redaction-stream.ts';

const KEY = 'sk-live/+="0123456789abcdef';
const forms = secretForms([KEY]);

function throughInPieces(text: string, size: number): string {
  const cut = new StreamCut(forms);
  let out = '';
  for (let at = 0; at < text.length; at += size) out += cut.push(text.slice(at, at + size));
  return out + cut.end();
}

describe('secrets in a body that streams', () => {
  it('are taken out wherever the pieces are cut', () => {
    const body = `before ${KEY} between ${encodeURIComponent(KEY)} ${btoa(KEY)} after`;
    for (let size = 1; size <= body.length; size++) {
      expect(throughInPieces(body, size), `pieces of ${size}`).toBe(
        'before [redacted] between [redacted] [redacted] after',
      );
    }
  });

  it('hold nothing back that cannot become one', () => {
    const cut = new StreamCut(forms);
    expect(cut.push('data: {"delta":"Hello"}\n\n')).toBe('data: {"delta":"Hello"}\n\n');
    expect(cut.push('a word, then sk-li')).toBe('a word, then ');
    expect(cut.push('ttle')).toBe('sk-little');
    expect(cut.end()).toBe('');
  });

  it('are found when what was held back turns out to be the start of the next', () => {
    const cut = new StreamCut(['aab']);
    expect(cut.push('aa') + cut.push('aab') + cut.end()).toBe('aa[redacted]');
  });

  it('leave the bytes of any encoding as they are', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const stream = new Blob([bytes, KEY, bytes]).stream().pipeThrough(redactionStream(forms));
    const out = new Uint8Array(await new Response(stream).arrayBuffer());
    expect(out.slice(0, 256)).toEqual(bytes);
    expect(out.slice(-256)).toEqual(bytes);
    expect(new TextDecoder('latin1').decode(out.slice(256, -256))).toBe('[redacted]');
  });
});
