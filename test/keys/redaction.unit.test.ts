import { describe, expect, it } from 'vitest';
import { redactContent, redactionOf } from '../../consumer/keys/secrets/redaction.ts';

const KEY = 'sk-proj/A+b=c"d-0123456789';
const redact = redactionOf([KEY]);

describe('redaction', () => {
  it.each([
    ['as it is', `Bearer ${KEY}`],
    ['percent-encoded', `?key=${encodeURIComponent(KEY)}`],
    [
      'percent-encoded in lower case',
      `?key=${encodeURIComponent(KEY).replaceAll(/%../g, (code) => code.toLowerCase())}`,
    ],
    ['inside JSON', JSON.stringify({ authorization: `Bearer ${KEY}` })],
    ['inside JSON with escaped slashes', JSON.stringify(KEY).replaceAll('/', '\\/')],
    ['in hexadecimal', Buffer.from(KEY).toString('hex')],
    ['in base64', btoa(KEY)],
    ['in base64 of a header', btoa(`Bearer ${KEY}`)],
    ['in base64 of a longer text', btoa(`xx${KEY}yy`)],
    ['in base64 for URLs', Buffer.from(`x${KEY}`).toString('base64url')],
  ])('finds a key %s', (_name, text) => {
    const cleaned = redact(text);
    expect(cleaned).toContain('[redacted]');
    expect(cleaned).not.toContain(KEY);
    expect(cleaned).not.toContain(KEY.slice(4, 20));
  });

  it('leaves everything else as it is, and JSON readable', () => {
    expect(redact('nothing to see')).toBe('nothing to see');
    const content = { type: 'application/json', encoding: 'json', text: JSON.stringify({ key: KEY, n: 1 }) } as const;
    const cleaned = redactContent(content, redact);
    expect(JSON.parse(cleaned.text)).toEqual({ key: '[redacted]', n: 1 });
    expect(redactContent({ ...content, text: '{"n":1}' }, redact)).toEqual({ ...content, text: '{"n":1}' });
  });

  it('makes text of a document that it would break', () => {
    const numeric = redactionOf(['1234567890']);
    const content = { type: 'application/json', encoding: 'json', text: '{"key":1234567890}' } as const;
    expect(redactContent(content, numeric)).toEqual({ ...content, encoding: 'text', text: '{"key":[redacted]}' });
  });

  it('finds a key among bytes', () => {
    const bytes = btoa(`\x00\xff${KEY}\x01`);
    const cleaned = redactContent({ type: 'image/png', encoding: 'base64', text: bytes }, redact);
    expect(atob(cleaned.text)).toBe('\x00\xff[redacted]\x01');
  });

  it('does nothing without keys, or with values too short to be one', () => {
    expect(redactionOf([])('abc')).toBe('abc');
    expect(redactionOf(['abc'])('abc')).toBe('abc');
  });
});
