/** Secrets in answers, as programs write them. */
import { answer, chunked } from './raw-backend.ts';
import { echo, escapes, isClean, JSON_TYPE, KEY, percent, type Row, type Rows, TEXT } from './row.ts';

const split = (text: string, at: number) => [text.slice(0, at), text.slice(at)];

const written = (write: (key: string) => string, type = 'text/plain'): Row => ({
  steps: () => answer(200, { 'content-type': type }, `{"echo":"${write(KEY)}"}`),
  ...isClean,
});

export const SPELLINGS: Rows = {
  plain: { steps: (request) => answer(200, JSON_TYPE, echo(request)), ...isClean },
  'one-escape': written((key) => `\\u0050${key.slice(1)}`, 'application/json'),
  'all-escapes': written(escapes, 'application/json'),
  'plus-escaped': written((key) => key.replaceAll('+', '\\u002b').replaceAll('/', '\\/').replaceAll('"', '\\"')),
  percent: written(percent),
  'percent-twice': written((key) => encodeURIComponent(encodeURIComponent(key))),
  html: written((key) => key.replaceAll('"', '&quot;').replaceAll('/', '&#47;').replaceAll('+', '&plus;')),
  hex: written((key) => Buffer.from(key).toString('hex').replaceAll(/../g, '$&:')),
  'base64-0': written((key) => Buffer.from(key).toString('base64')),
  'base64-1': written((key) => Buffer.from(`a${key}z`).toString('base64')),
  'base64-2': written((key) => Buffer.from(`ab${key}z`).toString('base64url')),
  'with-leading-zeros': written((key) =>
    Array.from(key, (c) => `&#${String(c.charCodeAt(0)).padStart(20, '0')};`).join(''),
  ),
  'percent-u': written((key) => Array.from(key, (c) => `%u00${c.charCodeAt(0).toString(16)}`).join('')),
  'quoted-printable': written((key) =>
    Array.from(key, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}=\r\n`).join(''),
  ),
  'json-five-times': written((key) => [1, 2, 3, 4, 5].reduce((text) => JSON.stringify(text).slice(1, -1), key)),
  'hex-in-json': written((key) => JSON.stringify(Array.from(key, (c) => c.charCodeAt(0).toString(16))).slice(2, -2)),
  'char-codes': written((key) => JSON.stringify({ ...Buffer.from(key) }).slice(5, -1)),
  'base64-of-base64': written((key) => Buffer.from(Buffer.from(key).toString('base64')).toString('base64')),
  'base64-of-json-in-json': written((key) => Buffer.from(JSON.stringify(JSON.stringify({ key }))).toString('base64')),
  'stylesheet-escapes': written((key) => Array.from(key, (c) => `\\${c.charCodeAt(0).toString(16)} `).join('')),
  'base64-of-hex': written((key) => Buffer.from(Buffer.from(key).toString('hex')).toString('base64')),
  'utf-16': {
    steps: () =>
      answer(200, { 'content-type': 'text/plain; charset=utf-16le' }, Buffer.from(`it is ${KEY}`, 'utf16le')),
    ...isClean,
  },
  'split-in-chunks': { steps: () => chunked(200, TEXT, ['before ', ...split(escapes(KEY), 40), ' after']), ...isClean },
  'split-in-base64': {
    steps: () => chunked(200, TEXT, split(Buffer.from(`a${KEY}`).toString('base64'), 17)),
    ...isClean,
  },
};
