/** How answers are framed, by bytes: well, oddly, not as HTTP, or cut off. */
import { answer, chunked } from './raw-backend.ts';
import { type Row, type Rows, SECOND, succeeds, TEXT } from './row.ts';

/** What is no answer of HTTP: nobody knows what became of the request. */
const unframed = (text: string): Row => ({
  steps: () => [text],
  task: { status: 'retrying', class: 'network' },
  sync: { status: 502 },
});

const bodiless = (code: number): Row => ({
  steps: () => [`HTTP/1.1 ${code} Nothing\r\nContent-Length: 5\r\n\r\nhello`],
  task: succeeds,
  sync: { status: code },
});

export const FRAMINGS: Rows = {
  'cut-stream': {
    steps: () => chunked(200, TEXT, ['words, then PLANTED-'], false),
    task: { status: 'retrying', class: 'network' },
    sync: { status: 'broken', says: 'words, then PLANTED-' },
  },
  'early-hints': {
    steps: () => [
      `HTTP/1.1 103 Early Hints\r\nLink: </${SECOND}>\r\n\r\n`,
      { pauseMs: 20 },
      ...answer(200, TEXT, 'fine'),
    ],
    task: { ...succeeds, says: 'fine' },
    sync: { status: 200, says: 'fine', headers: { link: null } },
  },
  trailers: {
    steps: () => [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-K\r\n\r\n2\r\nok\r\n0\r\nX-K: ${SECOND}\r\n\r\n`,
    ],
    task: succeeds,
    sync: { status: 200, says: 'ok', headers: { trailer: null, 'x-k': null } },
  },
  'length-and-chunks': {
    steps: () => ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    task: succeeds,
    sync: { status: 200, says: 'ok' },
  },
  'two-lengths': unframed('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok'),
  'no-length-at-all': unframed('HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok'),
  'zero-in-a-header': unframed('HTTP/1.1 200 OK\r\nX-A: 1\0x\r\nContent-Length: 2\r\n\r\nok'),
  'folded-header': unframed('HTTP/1.1 200 OK\r\nX-A: 1\r\n  2\r\nContent-Length: 2\r\n\r\nok'),
  'no-http': unframed('hello'),
  silence: unframed(''),
  'no-reason': {
    steps: () => ['HTTP/1.1 200\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok'],
    task: succeeds,
    sync: { status: 200, says: 'ok', headers: { 'x-a': '1, 2' } },
  },
  'until-it-closes': {
    steps: () => ['HTTP/1.0 200 OK\r\n\r\nok'],
    task: succeeds,
    sync: { status: 200, says: 'ok' },
  },
  'with-a-body-204': bodiless(204),
  'with-a-body-205': bodiless(205),
  'not-modified': {
    steps: () => ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n'],
    task: { status: 'failed', class: 'http' },
    sync: { status: 304, headers: { etag: '"x"' } },
  },
  partial: {
    steps: () => answer(206, { ...TEXT, 'content-range': 'bytes 0-1/10' }, 'ok'),
    task: succeeds,
    sync: { status: 206, says: 'ok', headers: { 'content-range': 'bytes 0-1/10' } },
  },
  'status-999': {
    steps: () => answer(999, TEXT, 'no'),
    task: { status: 'retrying', class: 'http', says: 'answered 999' },
    sync: { status: 502, says: 'status 999' },
  },
  'read-and-reset': { steps: () => ['reset'], task: { status: 'retrying', class: 'network' }, sync: { status: 502 } },
};
