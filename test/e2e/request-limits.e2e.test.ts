/**
 * Requests as the runtime's own rate-limit binding counts them, over HTTP. Its periods begin by the clock, so a burst may
 * fall into two: bursts come until one was refused, and what must hold holds in each of them.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken } from '../../shared/auth/token.ts';
import { type Pipeline, SECRETS, startPipeline } from './pipeline.ts';

const LIMITS = { REQUESTS_BY_ADDRESS: 10, REQUESTS_BY_TOKEN: 20 };
const OFFICE = '192.0.2.1';
const HOME = '2001:db8:0:1::1';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ requestLimits: LIMITS });
});
afterAll(() => pipeline?.[Symbol.asyncDispose]());

const tokenOf = (sub: string) => signToken({ sub, role: 'client' }, SECRETS.JWT_SECRET, 3600);

/** Where the platform tells the address, whoever listens locally takes it from the request. */
function ask(address: string, token: string | undefined): Promise<Response> {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  const headers = { 'cf-connecting-ip': address, ...(authorization !== undefined && { authorization }) };
  return fetch(`${pipeline.run.url}/api/services`, { headers });
}

/** More than fit a period. */
async function burst(requests: number, address: (at: number) => string, token: string | undefined) {
  const answers = await Promise.all(Array.from({ length: requests }, (_, at) => ask(address(at), token)));
  const refused = answers.find(({ status }) => status === 429);
  const seen = new Set(answers.map(({ status }) => status));
  const problem = (await refused?.json()) as { type: string } | undefined;
  await Promise.all(answers.map((answer) => answer.bodyUsed || answer.body?.cancel()));
  return { seen, type: problem?.type, retryAfter: refused?.headers.get('retry-after') };
}

describe('requests in a real runtime', () => {
  it('are refused by address before a token is looked at, and whoever is known there goes on', async () => {
    const alice = await tokenOf('alice');
    const ofOthers = new Set<number>();
    const ofAlice = new Set<number>();
    await expect
      .poll(async () => {
        // Known from elsewhere, as a client is that works.
        ofAlice.add((await ask(HOME, alice)).status);
        const { seen, ...refusal } = await burst(2 * LIMITS.REQUESTS_BY_ADDRESS, () => OFFICE, 'no.such.token');
        for (const status of seen) ofOthers.add(status);
        ofAlice.add((await ask(OFFICE, alice)).status);
        return refusal;
      })
      .toEqual({ type: '/docs/problems/too-many-requests', retryAfter: '10' });
    expect([...ofOthers].sort()).toEqual([401, 429]);
    expect([...ofAlice]).toEqual([200]);
    expect((await ask('192.0.2.2', undefined)).status).toBe(401);
  });

  it('are refused by token, whatever addresses they come from, and no other token is', async () => {
    const [bob, carol] = [await tokenOf('bob'), await tokenOf('carol')];
    const ofBob = new Set<number>();
    const ofCarol = new Set<number>();
    await expect
      .poll(async () => {
        ofBob.add((await ask(HOME, bob)).status);
        const { seen, ...refusal } = await burst(2 * LIMITS.REQUESTS_BY_TOKEN, (at) => `198.51.100.${at}`, bob);
        for (const status of seen) ofBob.add(status);
        ofCarol.add((await ask('198.51.100.1', carol)).status);
        return refusal;
      })
      .toEqual({ type: '/docs/problems/too-many-requests', retryAfter: '10' });
    expect([...ofBob].sort()).toEqual([200, 429]);
    expect([...ofCarol]).toEqual([200]);
  });
});
