import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isPackingOpen, isUnpackedOnReading, opaquePackingOf, unsaidPackingOf } from '../../../shared/sync/packing.ts';

const said = (encoding?: string) => new Headers(encoding === undefined ? {} : { 'content-encoding': encoding });

describe('how an answer is packed', () => {
  it.each([undefined, '', 'identity', 'Identity', 'gzip', 'br', ' gzip ', 'identity, identity'])(
    '%s can be looked into',
    (encoding) => {
      expect(opaquePackingOf(said(encoding))).toBeUndefined();
    },
  );

  it.each([
    'GZIP',
    'x-gzip',
    'BR',
    'deflate',
    'zstd',
    'compress',
    'gzip, gzip',
    'gzip,',
    'identity, gzip',
    'dcb',
    'aws-chunked',
  ])('%s cannot, and is named', (encoding) => {
    expect(opaquePackingOf(said(encoding))).toBe(encoding);
  });

  it('is undone by the runtime where it is said in its own words', () => {
    expect(
      [undefined, 'gzip', 'br', 'GZIP', 'identity', 'gzip, br'].map((each) => isUnpackedOnReading(said(each))),
    ).toEqual([false, true, true, false, false, false]);
  });
});

describe('a body that is packed without a word about it', () => {
  const text = JSON.stringify({ id: 7, echo: 'a text that is long enough to be packed, as answers are' });
  const packings = { gzip: gzipSync, zstd: zstdCompressSync, deflate: deflateSync };

  it.each([
    null,
    'application/json',
    'text/plain; charset=utf-8',
    'application/problem+json',
    'image/svg+xml',
    'application/x-www-form-urlencoded',
    'application/javascript',
    'application/yaml',
    'multipart/mixed; boundary=b',
    'json',
    '"application/json"',
  ])('is refused where it is said to be %s', (type) => {
    for (const [name, pack] of Object.entries(packings)) expect(unsaidPackingOf(type, pack(text))).toBe(name);
  });

  it.each(['application/gzip', 'application/octet-stream', 'application/zip', 'image/png', 'application/vnd.any'])(
    'is a file where it is said to be %s',
    (type) => {
      for (const pack of Object.values(packings)) expect(unsaidPackingOf(type, pack(text))).toBeUndefined();
    },
  );

  it.each([
    ['brotli', brotliCompressSync],
    ['bare deflate', deflateRawSync],
    ['zlib of level 2', (body: string) => deflateSync(body, { level: 2 })],
  ])('in %s is told from JSON and XML by what neither can hold', (_name, pack) => {
    for (let number = 0; number < 50; number++) {
      const body = pack(JSON.stringify({ number, of: 'fifty', like: ['what', 'an', 'application', 'answers'], text }));
      expect(unsaidPackingOf('application/json', body)).toBe('unknown');
      expect(unsaidPackingOf('application/soap+xml', body)).toBe('unknown');
    }
  });

  it.each([
    ['application/json', Buffer.from(' \r\n\t{"a":"ü"}')],
    ['application/json', Buffer.from('\ufeff{}')],
    ['application/json', Buffer.from('{"a":1}', 'utf16le')],
    ['application/json', Buffer.from('Ошибка: не найдено, и ещё много слов, чтобы разрезать букву посередине')],
    ['application/json', Buffer.from('x^2')],
    ['text/xml', Buffer.from('<é/>', 'latin1')],
    ['text/plain', Buffer.from([0x78, 0x5e, 0x32])],
    ['text/plain', Buffer.from('\x1b[32mgreen\x1b[0m')],
    ['application/json', Buffer.alloc(0)],
  ])('is not what %s may well begin with (%#)', (type, body) => {
    expect(unsaidPackingOf(type, body)).toBeUndefined();
  });

  it('is known before a byte of it has passed', () => {
    for (let size = 1; size <= 6; size++) {
      expect(isPackingOpen('text/plain', zstdCompressSync(text).subarray(0, size))).toBe(size < 4);
    }
    expect(isPackingOpen('application/json', Buffer.from('{"a":'))).toBe(true);
    expect(isPackingOpen('application/json', Buffer.from(text))).toBe(false);
    expect(isPackingOpen('text/event-stream', Buffer.from('d'))).toBe(false);
  });
});
