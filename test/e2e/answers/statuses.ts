/** Answers of every kind of status, with a body that is too large for a row: the status decides before the size. */
import { answer, chunked } from './raw-backend.ts';
import { type Expected, type Row, type Rows, succeeds, TEXT } from './row.ts';

const LARGE = 'x'.repeat(70_000);
const status = (code: number, headers: Record<string, string>, expected: Expected, body = LARGE): Row => ({
  steps: () => answer(code, { ...TEXT, ...headers }, body),
  ...expected,
});

export const STATUSES: Rows = {
  'large-429': status(429, { 'retry-after': '300' }, { task: { status: 'deferred' }, sync: { status: 429 } }),
  'large-503': status(503, { 'retry-after': '300' }, { task: { status: 'deferred' }, sync: { status: 503 } }),
  'large-500': status(
    500,
    {},
    { task: { status: 'retrying', class: 'http', says: 'answered 500: xxx' }, sync: { status: 500 } },
  ),
  'large-404': status(
    404,
    {},
    { task: { status: 'failed', class: 'http', says: 'answered 404: xxx' }, sync: { status: 404 } },
  ),
  'large-202': status(202, {}, { task: { status: 'waiting' }, sync: { status: 202 } }),
  'large-302': status(
    302,
    { location: '/new' },
    { task: { status: 'failed', class: 'http', says: '/new' }, sync: { status: 302 } },
  ),
  'large-200': status(200, {}, { task: succeeds, sync: { status: 200 } }),
  'cut-500': {
    steps: () => chunked(500, TEXT, ['it went wrong'], false),
    task: { status: 'retrying', class: 'http', says: 'answered 500: it went wrong' },
    sync: { status: 'broken', says: 'it went wrong' },
  },
};
