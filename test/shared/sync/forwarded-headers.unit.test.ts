import { describe, expect, it } from 'vitest';
import { headersToBackend, headersToClient } from '../../../shared/sync/forwarded-headers.ts';

const asIs = (text: string) => text;
const asked = {
  url: 'https://ocr.example.com/base/read',
  baseUrl: 'https://ocr.example.com/base',
  service: 'ocr',
  publicUrl: 'https://tasks.example.com',
};

describe('headers of a synchronous call', () => {
  it('go on to the backend, but for credentials, cookies, transport and what is Tasklane’s', () => {
    const headers = new Headers({
      accept: 'text/event-stream',
      authorization: 'Bearer a-token',
      'cf-connecting-ip': '203.0.113.7',
      connection: 'close, x-hop',
      'content-length': '12',
      'content-type': 'application/json',
      cookie: 'session=1',
      host: 'tasks.example.com',
      'idempotency-key': 'mine',
      prefer: 'respond-async',
      'task-callback-token': 'forged',
      'tasklane-call': '{}',
      'transfer-encoding': 'chunked',
      'x-custom': 'kept',
      'x-forwarded-for': '203.0.113.7',
      'accept-encoding': 'zstd',
      forwarded: 'for=203.0.113.7',
      te: 'trailers',
      upgrade: 'h2c',
      via: '1.1 proxy',
      'x-original-url': '/admin',
      'x-real-ip': '203.0.113.7',
      'x-hop': 'of this hop',
    });
    expect(headersToBackend(headers)).toEqual({
      accept: 'text/event-stream',
      'content-type': 'application/json',
      'idempotency-key': 'mine',
      'x-custom': 'kept',
    });
  });

  it('come back without cookies, policies of another origin and internal words, and with guards', () => {
    const headers = new Headers({
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=60',
      'content-security-policy': "script-src 'unsafe-inline'",
      'content-type': 'text/html',
      etag: '"1"',
      link: '</x.css>; rel=preload',
      location: '/api/tasks',
      'content-security-policy-report-only': "default-src 'none'; report-uri /api/tasks",
      'service-worker-allowed': '/',
      'speculation-rules': '"/rules.json"',
      sourcemap: '/api/tasks',
      'x-sourcemap': '/api/tasks',
      'www-authenticate': 'Basic realm="tasklane"',
      'x-accel-redirect': '/secret',
      'x-frame-options': 'ALLOWALL',
      'permissions-policy': 'camera=*',
      'sec-session-registration': '()',
      'openai-processing-ms': '12',
      'x-ratelimit-remaining-requests': '9',
      nel: '{}',
      refresh: '0; url=/api/tasks',
      'report-to': '{}',
      'retry-after': '3',
      'set-cookie': 'session=1',
      'strict-transport-security': 'max-age=1',
      'tasklane-declined': '{"why":"no-key"}',
    });
    expect(Object.fromEntries(headersToClient(headers, asIs, asked))).toEqual({
      'cache-control': 'no-store',
      'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'/),
      'content-type': 'text/html',
      etag: '"1"',
      'openai-processing-ms': '12',
      'referrer-policy': 'no-referrer',
      'retry-after': '3',
      'strict-transport-security': 'max-age=63072000',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'x-ratelimit-remaining-requests': '9',
    });
  });

  it('are judged by each name alone, whichever came before', () => {
    const names = Array.from({ length: 1_500 }, (_, index) => `x-own-${index}`);
    const headers = new Headers(names.map((name) => [name, '1']));
    headers.set('set-cookie', 'session=1');
    for (let time = 0; time < 2; time++) {
      const told = headersToClient(headers, asIs, asked);
      expect(names.every((name) => told.has(name)) && !told.has('set-cookie')).toBe(true);
      expect(Object.keys(headersToBackend(headers))).toEqual(expect.arrayContaining(names));
    }
  });

  it('say how a body is packed only where the runtime has left it packed', () => {
    const encodingOf = (encoding: string) =>
      headersToClient(new Headers({ 'content-encoding': encoding }), asIs, asked).get('content-encoding');
    const packed = ['deflate', 'zstd', 'GZIP', 'x-gzip', 'BR', 'gzip, gzip'];
    expect(['gzip', 'br', ...packed].map(encodingOf)).toEqual([null, null, ...packed]);
  });

  it('tell no secret that a backend sends back in one', () => {
    const headers = new Headers({ 'x-echo': 'Bearer sk-secret', 'x-named-sk-secret': '1' });
    const redact = (text: string) => text.replaceAll('sk-secret', '[redacted]');
    expect(headersToClient(headers, redact, asked).get('x-echo')).toBe('Bearer [redacted]');
    expect(headersToClient(headers, redact, asked).has('x-named-sk-secret')).toBe(false);
  });
});
