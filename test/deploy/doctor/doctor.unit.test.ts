import { describe, expect, it } from 'vitest';
import { compareSecrets } from '../../../deploy/doctor/inside.ts';
import { lookFromOutside } from '../../../deploy/doctor/outside.ts';

const HEADERS = {
  'strict-transport-security': 'max-age=63072000',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** A deployment that is well but for what a test changes. */
const deployment =
  (change: (path: string, init: RequestInit | undefined, response: Response) => void = () => undefined) =>
  async (url: string, init?: RequestInit) => {
    const { pathname } = new URL(url);
    const response = new Response(null, { status: pathname.startsWith('/api') ? 401 : 200, headers: HEADERS });
    change(pathname, init, response);
    return response;
  };

const wanting = async (url: string, ask: Parameters<typeof lookFromOutside>[1]) =>
  (await lookFromOutside(url, ask)).filter(({ state }) => state !== 'ok').map(({ item, says }) => `${item}: ${says}`);

describe('a look from outside', () => {
  it('finds nothing at a deployment that is well', async () => {
    expect(await wanting('https://tasks.example.com', deployment())).toEqual([]);
  });

  it('sees a plain address', async () => {
    expect(await wanting('http://tasks.example.com', deployment())).toEqual([
      'address: http://tasks.example.com is http',
    ]);
  });

  it('names each answer that lacks a header', async () => {
    const without = deployment((path, _, { headers }) => {
      if (path === '/docs') headers.delete('content-security-policy');
      if (path === '/healthz') headers.set('strict-transport-security', 'max-age=60');
    });
    expect(await wanting('https://tasks.example.com', without)).toEqual([
      'headers: /healthz lacks strict-transport-security; /docs lacks content-security-policy',
    ]);
  });

  it('sees an API that lets a forged token in', async () => {
    const open = async (url: string, init?: RequestInit) =>
      new Response(null, { status: init?.headers === undefined && url.includes('/api') ? 401 : 200, headers: HEADERS });
    expect(await wanting('https://tasks.example.com', open)).toEqual([
      'tokens: without a token 401, with a forged one 200',
    ]);
  });

  it('sees an answer that a stranger’s page may read', async () => {
    const allowing = deployment((_, init, { headers }) => {
      if (init?.headers !== undefined) headers.set('access-control-allow-origin', '*');
    });
    expect(await wanting('https://tasks.example.com', allowing)).toEqual([
      'other-origins: https://stranger.example is allowed as *',
    ]);
  });
});

describe('two environments', () => {
  const of = (secrets: Record<string, string>) => ({
    items: [],
    secrets: Object.entries(secrets).map(([name, fingerprint]) => ({ name, fingerprint })),
  });

  it('are apart when no secret of one is known in the other, whatever it is called there', () => {
    const production = of({ JWT_SECRET: 'a', ID_SECRET: 'b' });
    expect(compareSecrets(production, of({ JWT_SECRET: 'c', ID_SECRET: 'd' }), 'https://s').state).toBe('ok');
    const shared = compareSecrets(production, of({ JWT_SECRET: 'a', CALLBACK_SECRET: 'b' }), 'https://s');
    expect([shared.state, shared.says]).toEqual([
      'missing',
      'the same at https://s: JWT_SECRET, ID_SECRET (there CALLBACK_SECRET)',
    ]);
  });
});
