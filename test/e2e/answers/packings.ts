/** Answers that are packed, say that they are, or do not say so. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { answer } from './raw-backend.ts';
import { type Expected, echo, isClean, JSON_TYPE, KEY, type Row, type Rows, succeeds, TEXT } from './row.ts';

const unreadable = (encoding: string): Expected => ({
  task: { status: 'failed', class: 'result-unreadable', says: JSON.stringify(encoding) },
  sync: { status: 502, says: encoding },
});

const packed = (encoding: string, pack: (text: string) => Uint8Array, expected: Expected): Row => ({
  steps: (request) => answer(200, { ...JSON_TYPE, 'content-encoding': encoding }, pack(echo(request))),
  ...expected,
});

/** Nothing is said of a packing. */
const unsaid = (type: string, pack: (text: string) => Uint8Array, encoding: string): Row => ({
  steps: (request) => answer(200, { 'content-type': type }, pack(echo(request))),
  ...unreadable(encoding),
});

export const PACKINGS: Rows = {
  gzip: packed('gzip', gzipSync, isClean),
  br: packed('br', brotliCompressSync, isClean),
  deflate: packed('deflate', deflateSync, unreadable('deflate')),
  zstd: packed('zstd', zstdCompressSync, unreadable('zstd')),
  'gzip-in-capitals': packed('GZIP', gzipSync, unreadable('GZIP')),
  'x-gzip': packed('x-gzip', gzipSync, unreadable('x-gzip')),
  'gzip-twice': packed('gzip, gzip', (text) => gzipSync(gzipSync(text)), unreadable('gzip, gzip')),
  'gzip-listed': packed('gzip,', gzipSync, unreadable('gzip,')),
  'gzip-with-a-parameter': packed('gzip;q=1', gzipSync, unreadable('gzip;q=1')),
  unsaid: unsaid(JSON_TYPE['content-type'], gzipSync, 'gzip'),
  'unsaid-deflate': unsaid(JSON_TYPE['content-type'], deflateSync, 'deflate'),
  'unsaid-bare-deflate': unsaid(JSON_TYPE['content-type'], deflateRawSync, 'unknown'),
  'unsaid-br': unsaid('application/problem+json', brotliCompressSync, 'unknown'),
  'unsaid-in-a-form': unsaid('application/x-www-form-urlencoded', zstdCompressSync, 'zstd'),
  'unsaid-under-an-odd-type': unsaid('json', gzipSync, 'gzip'),
  bomb: {
    steps: () => answer(200, { ...TEXT, 'content-encoding': 'gzip' }, gzipSync('0'.repeat(10_000_000))),
    task: succeeds,
    sync: { status: 200 },
  },
  'packed-nothing': {
    steps: () => answer(200, { ...TEXT, 'content-encoding': 'gzip' }),
    task: succeeds,
    sync: { status: 200 },
  },
  'not-packed-at-all': {
    steps: () => answer(200, { ...TEXT, 'content-encoding': 'gzip' }, `it is ${KEY}`),
    task: { status: 'retrying', class: 'network' },
    sync: { status: 502 },
  },
  'packed-in-two-parts': {
    steps: () =>
      answer(
        200,
        { ...TEXT, 'content-encoding': 'gzip' },
        Buffer.concat([gzipSync(KEY.slice(0, 20)), gzipSync(KEY.slice(20))]),
      ),
    ...isClean,
  },
};
