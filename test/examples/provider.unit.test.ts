import { afterEach, describe, expect, it } from 'vitest';
import { Accounts, type Admission, type WindowKind } from '../../examples/provider/account.ts';
import { type Provider, type ProviderOptions, startProvider } from '../../examples/provider/server.ts';

const T0 = Date.UTC(2026, 10, 20);

describe('what a key may do', () => {
  const open = (kind: WindowKind, over = {}) =>
    new Accounts({ limit: 2, windowMs: 10_000, kind, quota: Number.POSITIVE_INFINITY, revoked: [], ...over });
  const at = (accounts: Accounts, ...seconds: number[]): Admission['kind'][] =>
    seconds.map((second) => accounts.admit('key', T0 + second * 1_000).kind);

  it('is counted in a sliding window', () => {
    expect(at(open('sliding'), 0, 9, 9.5, 10, 10.5)).toEqual([
      'admitted',
      'admitted',
      'limited',
      'admitted',
      'limited',
    ]);
  });

  it('is counted in a fixed window', () => {
    expect(at(open('fixed'), 0, 9, 9.5, 10, 10.5, 11)).toEqual([
      'admitted',
      'admitted',
      'limited',
      'admitted',
      'admitted',
      'limited',
    ]);
  });

  it('is poured into a bucket', () => {
    expect(at(open('bucket'), 0, 0, 4, 5, 5)).toEqual(['admitted', 'admitted', 'limited', 'admitted', 'limited']);
  });

  it('ends with its quota, or when it is revoked', () => {
    expect(at(open('sliding', { quota: 1 }), 0, 1)).toEqual(['admitted', 'exhausted']);
    const accounts = open('sliding', { revoked: ['key'] });
    expect(at(accounts, 0)).toEqual(['revoked']);
    expect(accounts.report()).toMatchObject([{ key: expect.stringMatching(/^[0-9a-f]{8}$/), refused: 1 }]);
  });
});

describe('the example provider', () => {
  let provider: Provider | undefined;
  afterEach(() => provider?.stop());

  async function ask(options: ProviderOptions, path: string, headers: Record<string, string>, body: unknown = {}) {
    provider ??= await startProvider(options);
    return fetch(provider.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  }
  const bearer = { authorization: 'Bearer sk-1' };
  const google = { 'x-goog-api-key': 'g-1' };

  it("answers in OpenAI's words, and says when to come back", async () => {
    provider = undefined;
    const options = { limit: 1, headers: 'openai' } as const;
    const first = await ask(options, '/v1/chat/completions', bearer, { model: 'm' });
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(await first.json()).toMatchObject({ object: 'chat.completion', model: 'm', usage: { total_tokens: 11 } });
    const second = await ask(options, '/v1/chat/completions', bearer);
    expect(second.status).toBe(429);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await second.json()).toMatchObject({ error: { code: 'rate_limit_exceeded' } });
  });

  it('streams', async () => {
    provider = undefined;
    const answer = await ask({}, '/v1/chat/completions', bearer, { stream: true });
    const text = await answer.text();
    expect(text.startsWith('data: {"id":"chatcmpl-')).toBe(true);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it("answers in Google's words", async () => {
    provider = undefined;
    const options = { limit: 1, revoked: ['gone'] };
    const path = '/v1beta/models/m:generateContent';
    const first = await ask(options, path, google);
    expect(await first.json()).toMatchObject({ candidates: [{ finishReason: 'STOP' }], modelVersion: 'm' });
    const second = await ask(options, path, google);
    expect(second.status).toBe(429);
    expect(second.headers.has('retry-after')).toBe(false);
    expect(JSON.stringify(await second.json())).toContain('google.rpc.RetryInfo');
    const third = await ask(options, path, { 'x-goog-api-key': 'gone' });
    expect(third.status).toBe(400);
    expect(JSON.stringify(await third.json())).toContain('API_KEY_INVALID');
  });

  it('shows what it was sent, the key included, but not the token of the callback', async () => {
    provider = undefined;
    const answer = await ask({}, '/echo', { ...bearer, 'task-callback-token': 'secret' });
    const text = await answer.text();
    expect(text).toContain('sk-1');
    expect(text).not.toContain('secret');
  });
});
