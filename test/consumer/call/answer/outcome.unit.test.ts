import { describe, expect, it } from 'vitest';
import { countedInTheEnd, type Outcome, outcomeOfAnswer } from '../../../../consumer/call/answer/outcome.ts';
import type { Content } from '../../../../shared/task/content.ts';

const NOW = Date.UTC(2026, 10, 20);
const BODY: Content = { type: 'text/plain', encoding: 'text', text: 'out of paper' };

function outcome(status: number, headers: Record<string, string> = {}, body: Content | undefined = BODY): Outcome {
  return outcomeOfAnswer({ status, headers: new Headers(headers), body }, NOW);
}

describe('the outcome table (DESIGN.md section 4)', () => {
  it('2xx other than 202: succeeded, the body is the result', () => {
    for (const status of [200, 201, 203, 204, 206, 299]) {
      expect(outcome(status)).toEqual({ kind: 'succeeded', result: BODY });
    }
    expect(outcomeOfAnswer({ status: 204, headers: new Headers(), body: undefined }, NOW)).toEqual({
      kind: 'succeeded',
      result: undefined,
    });
  });

  it('202: waiting for the callback', () => {
    expect(outcome(202)).toEqual({ kind: 'accepted' });
  });

  it.each([
    [
      524,
      '<html>A timeout occurred</html>',
      /^The backend answered 524: .*100 s.*answers 202 at once and calls back\.$/,
    ],
    [504, 'error code: 504', /answers 202 at once and calls back\.$/],
    [504, 'the printer is slow', /calls back\. It said: the printer is slow$/],
    [521, '', /^The backend answered 521: the backend refused the connection/],
    [530, '<!DOCTYPE html>', /its name leads nowhere\.$/],
  ])('%i of a proxy, saying %j: named, with what helps', (status, text, message) => {
    const { error } = outcome(status, {}, { type: 'text/html', encoding: 'text', text }) as {
      error?: { message: string };
    };
    expect(error?.message).toMatch(message);
  });

  it('429: deferred, with and without Retry-After', () => {
    expect(outcome(429)).toMatchObject({ kind: 'deferred', reason: 'rate-limited', retryAfterMs: undefined });
    expect(outcome(429, { 'retry-after': '7' })).toMatchObject({ kind: 'deferred', retryAfterMs: 7_000 });
    // Whoever says it otherwise means it no less, with a key of a pool or without.
    const text = JSON.stringify({ error: { details: [{ '@type': 'x/google.rpc.RetryInfo', retryDelay: '7s' }] } });
    for (const body of [
      { type: 'application/json', encoding: 'json', text },
      { type: 'application/octet-stream', encoding: 'base64', text: btoa(text) },
    ] as const) {
      expect(outcome(429, {}, body)).toMatchObject({ kind: 'deferred', retryAfterMs: 7_000 });
    }
    expect(outcome(429, { ratelimit: '"d";r=0;t=7' })).toMatchObject({ kind: 'deferred', retryAfterMs: 7_000 });
    const late = { date: 'Thu, 19 Nov 2026 23:50:00 GMT', 'retry-after': 'Thu, 19 Nov 2026 23:50:07 GMT' };
    expect(outcome(429, late)).toMatchObject({ kind: 'deferred', retryAfterMs: 7_000 });
  });

  it('503 with Retry-After: deferred; without: an attempt that failed', () => {
    expect(outcome(503, { 'retry-after': '7' })).toMatchObject({
      kind: 'deferred',
      reason: 'backend-busy',
      retryAfterMs: 7_000,
    });
    expect(outcome(503)).toMatchObject({ kind: 'retryable' });
    expect(outcome(503, { 'retry-after': 'soon' })).toMatchObject({ kind: 'retryable' });
  });

  it('408, 425, other 5xx: retrying, never before Retry-After', () => {
    for (const status of [408, 425, 500, 501, 502, 504, 507, 524, 528, 529, 599]) {
      expect(outcome(status), String(status)).toMatchObject({ kind: 'retryable', retryAfterMs: undefined });
      expect(outcome(status, { 'retry-after': '7' })).toMatchObject({ kind: 'retryable', retryAfterMs: 7_000 });
    }
  });

  it('520 to 527 but 524, and 530: nobody was reached, the attempt is not consumed', () => {
    for (const status of [520, 521, 522, 523, 525, 526, 527, 530]) {
      expect(outcome(status), String(status)).toMatchObject({ kind: 'deferred', reason: 'unreachable' });
    }
  });

  it.each([520, 522, 527])('%i for minutes: it may be the task that does it, and counts as an attempt', (status) => {
    const unreachable = outcome(status);
    expect(countedInTheEnd(unreachable, 59)).toBe(unreachable);
    expect(countedInTheEnd(unreachable, 60)).toMatchObject({ kind: 'retryable', error: { httpStatus: status } });
  });

  it.each([521, 523, 525, 526, 530, 429, 200])('%i stays what it is, however long', (status) => {
    const stays = outcome(status);
    expect(countedInTheEnd(stays, 1_000)).toBe(stays);
  });

  it('502 to 504 of a proxy that says that it reached nobody: the same', () => {
    for (const status of [502, 503, 504]) {
      const said = { 'proxy-status': 'edge.example; error=connection_refused' };
      expect(outcome(status, said)).toMatchObject({ kind: 'deferred', reason: 'unreachable' });
      expect(outcome(status, { 'proxy-status': 'edge.example; error=http_response_incomplete' })).toMatchObject({
        kind: 'retryable',
      });
    }
  });

  it('any other 3xx or 4xx: failed at once', () => {
    for (const status of [300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 451]) {
      expect(outcome(status), String(status)).toMatchObject({ kind: 'permanent' });
    }
  });

  it('x-should-retry: false ends what would be tried again', () => {
    for (const status of [408, 425, 429, 500, 503]) {
      expect(outcome(status, { 'x-should-retry': 'false', 'retry-after': '7' })).toMatchObject({ kind: 'permanent' });
    }
  });

  it('x-should-retry: true tries again what would end', () => {
    for (const status of [302, 400, 404, 409]) {
      expect(outcome(status, { 'x-should-retry': 'true', 'retry-after': '7' })).toMatchObject({
        kind: 'retryable',
        retryAfterMs: 7_000,
      });
    }
    // A deferral is tried again anyway, and costs no attempt.
    expect(outcome(429, { 'x-should-retry': 'true' })).toMatchObject({ kind: 'deferred' });
    expect(outcome(500, { 'x-should-retry': 'maybe' })).toMatchObject({ kind: 'retryable' });
  });
});

describe('the error that is kept', () => {
  it("says the status and the backend's own words", () => {
    expect(outcome(500)).toMatchObject({
      error: { class: 'http', httpStatus: 500, message: 'The backend answered 500: out of paper' },
    });
  });

  it('leaves out what is no text, and is short', () => {
    const binary: Content = { type: 'image/png', encoding: 'base64', text: 'YWJj' };
    expect(outcome(500, {}, binary)).toMatchObject({ error: { message: 'The backend answered 500.' } });
    expect(outcome(500, {}, { ...BODY, text: '  ' })).toMatchObject({
      error: { message: 'The backend answered 500.' },
    });
    const long = outcome(500, {}, { ...BODY, text: 'x'.repeat(10_000) });
    expect(long.kind === 'retryable' && long.error.message.length).toBe(500);
  });
});
