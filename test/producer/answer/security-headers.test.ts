import { describe, expect, it } from 'vitest';
import { secured } from '../../../producer/answer/security-headers.ts';
import { headersToClient } from '../../../shared/sync/forwarded-headers.ts';
import { ask, environment, tokenFor } from '../client.ts';

const ALWAYS = {
  'strict-transport-security': 'max-age=63072000',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
};

describe('every answer', () => {
  it.each([
    ['a document', {}, '/api/tasks', 200],
    ['a refusal', {}, '/api/nothing', 404],
    ['a forged token', { token: 'a.b.c' }, '/api/tasks', 401],
    ['an open route', { token: undefined }, '/healthz', 200],
    ['OPTIONS', { method: 'OPTIONS' }, '/api/tasks', 204],
  ] as const)('says how a browser must handle it: %s', async (_, request, path, status) => {
    const answer = await ask(environment(), path, request);
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject({ ...ALWAYS, 'cache-control': 'no-store' });
    expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  it('does so when nothing is configured, or the host is none', async () => {
    for (const env of [environment({ JWT_SECRET: '' }), environment()]) {
      const answer = await ask(env, '/api/tasks', { token: await tokenFor('alice') });
      expect(Object.fromEntries(answer.headers)).toMatchObject(ALWAYS);
    }
  });

  it('keeps a policy that a page has of its own', () => {
    const page = new Response('<p>', { headers: { 'content-security-policy': "script-src 'self'" } });
    expect(secured(page, false).headers.get('content-security-policy')).toBe("script-src 'self'");
  });
});

describe('an answer of our own', () => {
  it('is not copied: its length stays known', () => {
    const answer = new Response('{}');
    expect(secured(answer, false)).toBe(answer);
    expect(Object.fromEntries(answer.headers)).toMatchObject(ALWAYS);
  });

  it('is copied where its headers cannot be changed', () => {
    const answer = secured(Response.redirect('https://tasklane.example/docs', 302), false);
    expect([answer.status, answer.headers.get('location')]).toEqual([302, 'https://tasklane.example/docs']);
    expect(Object.fromEntries(answer.headers)).toMatchObject({ ...ALWAYS, 'cache-control': 'no-store' });
  });
});

describe("a backend's answer", () => {
  const answer = new Response('<script>steal()</script>', {
    status: 201,
    headers: {
      'content-type': 'text/html',
      'content-security-policy': "script-src 'unsafe-inline'",
      'access-control-allow-origin': '*',
      'access-control-allow-credentials': 'true',
      'cache-control': 'public',
      'x-own': 'kept',
    },
  });

  it("cannot act as a page of this origin, nor open it to others', and is otherwise as it was", async () => {
    const shown = secured(answer.clone(), true);
    expect([shown.status, await shown.text()]).toEqual([201, '<script>steal()</script>']);
    expect(Object.fromEntries(shown.headers)).toEqual({
      ...ALWAYS,
      'content-type': 'text/html',
      'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'/),
      'cache-control': 'public',
      'x-own': 'kept',
    });
  });

  it('is not copied where its consumer has said all of that', () => {
    const asked = {
      url: 'https://ocr.example/x',
      baseUrl: 'https://ocr.example',
      service: 'ocr',
      publicUrl: 'https://t.example',
    };
    const passed = new Response('read', { headers: headersToClient(answer.headers, (text) => text, asked) });
    expect(secured(passed, true)).toBe(passed);
    expect(Object.fromEntries(passed.headers)).toEqual({
      ...ALWAYS,
      'content-type': 'text/html',
      'content-security-policy': secured(answer, true).headers.get('content-security-policy'),
      'cache-control': 'no-store',
      'x-own': 'kept',
    });
  });

  it('goes through packed as it came', async () => {
    const packed = await new Response(new Blob(['hello']).stream().pipeThrough(new CompressionStream('gzip'))).bytes();
    const gzip = new Response(packed, { encodeBody: 'manual', headers: { 'content-encoding': 'gzip' } });
    expect(await secured(gzip, true).bytes()).toEqual(packed);
  });
});
