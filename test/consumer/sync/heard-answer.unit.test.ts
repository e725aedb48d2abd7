import { describe, expect, it } from 'vitest';
import { heardAnswer } from '../../../consumer/sync/heard-answer.ts';
import { Held } from '../../../consumer/sync/held.ts';
import type { HeldKey } from '../../../consumer/sync/key-hold.ts';
import { FREE_PLACE, type Place } from '../../../consumer/sync/place-hold.ts';

const NOW = Date.UTC(2026, 10, 20);
const key: HeldKey = { pool: 'default', number: 1, giveBack: async () => {} };
const onServer: Place = {
  ...FREE_PLACE,
  server: { id: 'srv_1', baseUrl: 'https://a.example', tier: 1, capabilities: {} },
};

const hear = (response: Response, held: Held) => heardAnswer(response, held, NOW);
const withoutKey = new Held(onServer, undefined);
const withKey = new Held(FREE_PLACE, key);

describe('an answer without a key', () => {
  it('says how its server stands', async () => {
    const outcome = async (status: number, headers = {}) =>
      (await hear(new Response('', { status, headers }), withoutKey)).report.outcome;
    expect(await outcome(200)).toBe('answered');
    expect(await outcome(404)).toBe('answered');
    expect(await outcome(500)).toBe('failed');
    expect(await outcome(503)).toBe('failed');
    expect(await outcome(503, { 'retry-after': '3' })).toBe('busy');
    expect(await outcome(429)).toBe('busy');
  });

  it('is for another server when this one is busy, until when it says', async () => {
    const busy = await hear(new Response('', { status: 503, headers: { 'retry-after': '3' } }), withoutKey);
    expect(busy).toMatchObject({ isForAnother: true, report: { busyUntil: NOW + 3_000 } });
    expect((await hear(new Response('', { status: 500 }), withoutKey)).isForAnother).toBe(false);
    // Without a word on how long, the registry says it.
    expect((await hear(new Response('', { status: 429 }), withoutKey)).report.busyUntil).toBeUndefined();
    // A fixed target is the only one there is.
    const fixed = await hear(new Response('', { status: 429 }), new Held(FREE_PLACE, undefined));
    expect(fixed.isForAnother).toBe(false);
  });

  it('passes unread, unless it says that it is short', async () => {
    const { body } = await hear(new Response('streams'), withoutKey);
    expect('stream' in body).toBe(true);
    const short = await hear(new Response('short', { headers: { 'content-length': '5' } }), withoutKey);
    expect('whole' in short.body && new TextDecoder().decode(short.body.whole)).toBe('short');
  });
});

describe('an answer with a key', () => {
  it('is for another key when this one is limited or refused, and speaks well of the server', async () => {
    for (const status of [401, 402, 403, 429]) {
      const answer = await hear(new Response('{}', { status }), withKey);
      expect(answer, String(status)).toMatchObject({ isForAnother: true, report: { outcome: 'answered' } });
    }
    const exhausted = Response.json({ error: { code: 'insufficient_quota' } }, { status: 429 });
    expect((await hear(exhausted, withKey)).report.verdict).toMatchObject({ kind: 'limited', quota: true });
  });

  it('is about the server when that says until when it is busy', async () => {
    const response = new Response('', { status: 503, headers: { 'retry-after': '3' } });
    const answer = await hear(response, new Held(onServer, key));
    expect(answer).toMatchObject({ isForAnother: true, report: { outcome: 'busy', busyUntil: NOW + 3_000 } });
  });

  it('tells what it took, when it is short JSON', async () => {
    const body = JSON.stringify({ usage: { total_tokens: 42 } });
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
    const answer = await hear(new Response(body, { headers }), withKey);
    expect(answer).toMatchObject({
      isForAnother: false,
      report: { verdict: { kind: 'worked' }, facts: { tokensUsed: 42 } },
    });
    expect('whole' in answer.body && new TextDecoder().decode(answer.body.whole)).toBe(body);
  });

  it('passes unread when it streams', async () => {
    const answer = await hear(new Response('data: 1', { headers: { 'content-type': 'text/event-stream' } }), withKey);
    expect('stream' in answer.body).toBe(true);
  });
});
