/** Headers that hold secrets, act on an origin, or name the backend's own addresses. */
import { answer } from './raw-backend.ts';
import { escapes, KEY, percent, type Rows, SECOND, succeeds } from './row.ts';

export const HEADERS: Rows = {
  'in-headers': {
    steps: () =>
      answer(200, {
        'content-type': `text/plain; note=${percent(KEY)}`,
        'x-echo': escapes(KEY),
        [`x-${SECOND}`]: '1',
        'set-cookie': KEY,
      }),
    task: succeeds,
    sync: {
      status: 200,
      headers: { 'x-echo': '[redacted]', 'set-cookie': null, 'content-type': 'text/plain; note=[redacted]' },
    },
  },
  'in-a-location': {
    steps: () => answer(302, { location: `/moved?key=${percent(KEY)}` }),
    task: { status: 'failed', class: 'http', says: '/moved?key=[redacted]' },
    sync: { status: 302, headers: { location: '/api/service/keyed/moved?key=[redacted]' } },
  },
  'acts-on-the-origin': {
    steps: () =>
      answer(200, {
        'www-authenticate': 'Basic realm="x"',
        link: '</x.css>; rel=preload',
        'speculation-rules': '"/r.json"',
        'x-frame-options': 'ALLOWALL',
        'content-security-policy-report-only': "default-src 'none'",
        'clear-site-data': '"*"',
        'strict-transport-security': 'max-age=1',
        'x-kept': 'yes',
      }),
    task: succeeds,
    sync: {
      status: 200,
      headers: {
        'www-authenticate': null,
        link: null,
        'speculation-rules': null,
        // Tasklane's own.
        'x-frame-options': 'DENY',
        'content-security-policy-report-only': null,
        'clear-site-data': null,
        'strict-transport-security': 'max-age=63072000',
        'x-kept': 'yes',
      },
    },
  },
  'upload-url': {
    steps: ({ headers }) =>
      answer(200, {
        'x-goog-upload-url': `http://${headers.get('host')}/upload?upload_id=1`,
        'x-other': `http://${headers.get('host')}/../x`,
      }),
    task: succeeds,
    sync: { status: 200, headers: { 'x-goog-upload-url': 'PUBLIC/api/service/keyed/upload?upload_id=1' } },
  },
};
