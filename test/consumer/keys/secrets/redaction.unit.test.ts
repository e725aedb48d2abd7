import { describe, expect, it } from 'vitest';
import { Redactor, redactContent } from '../../../../consumer/keys/secrets/redaction.ts';

const KEY = 'sk-proj/A+b=c"d-0123456789';
const redactor = new Redactor([KEY]);
const redact = (text: string) => redactor.text(text);

describe('redaction', () => {
  it('leaves a document one where a key seems to begin within the escape of another character', () => {
    const document = String.raw`{"\u0070\\0aaaaaaaaaaaaaaaa":1,"\\u0070\\0aaaaaaaaaaaaaaaa":2}`;
    expect(new Redactor(['0aaaaaaaaaaaaaaaa']).text(document)).toBe(String.raw`{"[redacted]":1,"\\u007[redacted]":2}`);
  });

  it.each([
    ['as it is', `Bearer ${KEY}`],
    ['percent-encoded', `?key=${encodeURIComponent(KEY)}`],
    [
      'percent-encoded in lower case',
      `?key=${encodeURIComponent(KEY).replaceAll(/%../g, (code) => code.toLowerCase())}`,
    ],
    ['inside JSON', JSON.stringify({ authorization: `Bearer ${KEY}` })],
    ['inside JSON with escaped slashes', JSON.stringify(KEY).replaceAll('/', '\\/')],
    ['as JSON escapes', Array.from(KEY, (char) => `\\u00${char.charCodeAt(0).toString(16)}`).join('')],
    ['with one letter as a JSON escape', `{"echo":"\\u0073${KEY.slice(1)}"}`],
    ['with every letter percent-encoded', Array.from(KEY, (char) => `%${char.charCodeAt(0).toString(16)}`).join('')],
    ['percent-encoded twice', encodeURIComponent(encodeURIComponent(KEY))],
    ['as HTML', KEY.replaceAll('"', '&quot;').replaceAll('/', '&#x2F;')],
    ['as a JSON text inside JSON', JSON.stringify(JSON.stringify({ key: KEY }))],
    ['in hexadecimal with colons', Buffer.from(KEY).toString('hex').replaceAll(/../g, '$&:')],
    ['as the bytes of a buffer', JSON.stringify(Buffer.from(KEY))],
    ['as quoted-printable', Array.from(KEY, (char) => `=${char.charCodeAt(0).toString(16)}`).join('=\r\n')],
    ['in UTF-16', Buffer.from(KEY, 'utf16le').toString('latin1')],
    ['in base64 of JSON', btoa(JSON.stringify({ key: KEY }))],
    ['in base64 of base64', btoa(btoa(`user:${KEY}`))],
    ['in small letters, as a host is', `https://${KEY.toLowerCase()}/`],
    ['as a stylesheet in a form', Array.from(KEY, (char) => `\\${char.charCodeAt(0).toString(16)}+`).join('')],
    ['cut off', `the key was ${KEY.slice(0, 20)}`],
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
    const numeric = new Redactor(['1234567890']);
    const content = { type: 'application/json', encoding: 'json', text: '{"key":1234567890}' } as const;
    expect(redactContent(content, (text) => numeric.text(text))).toEqual({
      ...content,
      encoding: 'text',
      text: '{"key":[redacted]}',
    });
  });

  it('finds a key among bytes', () => {
    const bytes = btoa(`\x00\xff${KEY}\x01`);
    const cleaned = redactContent({ type: 'image/png', encoding: 'base64', text: bytes }, redact);
    expect(atob(cleaned.text)).toBe('\x00\xff[redacted]\x01');
  });

  it('does nothing without keys, or with values too short to be one', () => {
    expect(new Redactor([]).text('abc')).toBe('abc');
    expect(new Redactor(['abc']).text('abc')).toBe('abc');
  });
});
