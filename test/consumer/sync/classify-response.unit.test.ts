import { describe, expect, it } from 'vitest';
import { Acquired } from '../../../consumer/sync/acquired.ts';
import { classifyResponse } from '../../../consumer/sync/classify-response.ts';
import type { AcquiredKey } from '../../../consumer/sync/key-hold.ts';
import { FREE_PLACE, type ServerPlace } from '../../../consumer/sync/place-hold.ts';
import { MAX_INLINE_BYTES } from '../../../shared/task/content.ts';

const NOW = Date.UTC(2026, 10, 20);
const key: AcquiredKey = { pool: 'default', number: 1, release: async () => {} };
const onServer: ServerPlace = {
  ...FREE_PLACE,
  server: { id: 'srv_1', baseUrl: 'https://a.example', tier: 1, capabilities: {} },
};

const classify = (response: Response, acquired: Acquired) => classifyResponse(response, acquired, NOW);
const withoutKey = new Acquired(onServer, undefined);
const withKey = new Acquired(FREE_PLACE, key);

describe('an answer without a key', () => {
  it('says how its server stands', async () => {
    const outcome = async (status: number, headers = {}) =>
      (await classify(new Response('', { status, headers }), withoutKey)).report.outcome;
    expect(await outcome(200)).toBe('answered');
    expect(await outcome(404)).toBe('answered');
    expect(await outcome(500)).toBe('failed');
    expect(await outcome(503)).toBe('failed');
    expect(await outcome(503, { 'retry-after': '3' })).toBe('busy');
    expect(await outcome(429)).toBe('busy');
    expect(await outcome(408)).toBe('answered');
    expect(await outcome(521)).toBe('unreachable');
    // The backend says that no other server is to be asked.
    expect(await outcome(429, { 'x-should-retry': 'false' })).toBe('answered');
  });

  it('is for another server when this one is busy, until when it says', async () => {
    const busy = await classify(new Response('', { status: 503, headers: { 'retry-after': '3' } }), withoutKey);
    expect(busy).toMatchObject({ isForAnother: true, report: { busyUntil: NOW + 3_000 } });
    expect((await classify(new Response('', { status: 500 }), withoutKey)).isForAnother).toBe(false);
    // Without a word on how long, the registry says it.
    expect((await classify(new Response('', { status: 429 }), withoutKey)).report.busyUntil).toBeUndefined();
    // A fixed target is the only one there is.
    const fixed = await classify(new Response('', { status: 429 }), new Acquired(FREE_PLACE, undefined));
    expect(fixed.isForAnother).toBe(false);
  });

  it('passes unread, unless it says that it is short', async () => {
    const { body } = await classify(new Response('streams'), withoutKey);
    expect('stream' in body).toBe(true);
    const short = await classify(new Response('short', { headers: { 'content-length': '5' } }), withoutKey);
    expect('whole' in short.body && new TextDecoder().decode(short.body.whole)).toBe('short');
  });

  it('is read with a bound where its length is that of a packed body', async () => {
    const headers = { 'content-length': '5', 'content-encoding': 'gzip' };
    const unpacked = new Response('x'.repeat(MAX_INLINE_BYTES + 1), { headers, encodeBody: 'manual' });
    expect('stream' in (await classify(unpacked, withoutKey)).body).toBe(true);
  });
});

describe('an answer with a key', () => {
  it('is for another key when this one is limited or refused, and speaks well of the server', async () => {
    for (const status of [401, 402, 403, 429]) {
      const answer = await classify(new Response('{}', { status }), withKey);
      expect(answer, String(status)).toMatchObject({ isForAnother: true, report: { outcome: 'answered' } });
    }
    const exhausted = Response.json({ error: { code: 'insufficient_quota' } }, { status: 429 });
    expect((await classify(exhausted, withKey)).report.feedback).toMatchObject({ kind: 'limited', quota: true });
  });

  it('is about the server when that says until when it is busy', async () => {
    const response = new Response('', { status: 503, headers: { 'retry-after': '3' } });
    const answer = await classify(response, new Acquired(onServer, key));
    expect(answer).toMatchObject({ isForAnother: true, report: { outcome: 'busy', busyUntil: NOW + 3_000 } });
  });

  it('tells what it took, when it is short JSON', async () => {
    const body = JSON.stringify({ usage: { total_tokens: 42 } });
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
    const answer = await classify(new Response(body, { headers }), withKey);
    expect(answer).toMatchObject({
      isForAnother: false,
      report: { feedback: { kind: 'worked' }, facts: { tokensUsed: 42 } },
    });
    expect('whole' in answer.body && new TextDecoder().decode(answer.body.whole)).toBe(body);
  });

  it('passes unread when it streams', async () => {
    const answer = await classify(
      new Response('data: 1', { headers: { 'content-type': 'text/event-stream' } }),
      withKey,
    );
    expect('stream' in answer.body).toBe(true);
  });
});
