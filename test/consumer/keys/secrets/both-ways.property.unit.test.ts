/**
 * A secret in an answer, on both ways that an answer takes: into the outcome of a task's attempt, and through the
 * synchronous route; in its body, its headers, as result and as error, in one piece and in many.
 */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { attempt } from '../../../../consumer/call/attempt.ts';
import type { Call } from '../../../../consumer/call/call.ts';
import { Timeouts } from '../../../../consumer/call/timeouts.ts';
import type { ConsumerEnv } from '../../../../consumer/env.ts';
import { REPLACEMENT, Redactor } from '../../../../consumer/keys/secrets/redaction.ts';
import { proxy } from '../../../../consumer/sync/proxy.ts';
import { ServiceDefinitionSchema } from '../../../../shared/service/definition.ts';
import { KnownServices } from '../../../../shared/service/known-services.ts';
import { SYNC_ORIGIN } from '../../../../shared/sync/call.ts';
import { secrets, writtenDown } from './spellings.ts';

for (const level of ['log', 'warn', 'error'] as const) vi.spyOn(console, level).mockReturnValue(undefined);

/** The same cases in every run, so that a failure is the change's. */
const RUNS = { numRuns: 400, seed: 35 };
const SERVICE = ServiceDefinitionSchema.parse({
  baseUrl: 'http://backend.test',
  headers: { 'x-api-key': { secret: 'KEY' } },
});
const TOKEN = `1.${'ab'.repeat(24)}`;
const ID = `tsk_${'0'.repeat(32)}`;

const answers = secrets.chain((secret) =>
  fc.record({
    secret: fc.constant(secret),
    written: writtenDown(secret),
    status: fc.constantFrom(200, 200, 302, 404, 500, 503),
    type: fc.constantFrom('text/plain', 'application/json', 'application/octet-stream', ''),
    borders: fc.array(fc.nat(400), { maxLength: 6 }),
    hasLength: fc.boolean(),
  }),
);
type Case = typeof answers extends fc.Arbitrary<infer Value> ? Value : never;

function answerOf({ written: { text }, status, type, borders, hasLength }: Case): Response {
  const bytes = Buffer.from(`xyz ${text} zyx`, 'latin1');
  const cuts = [...new Set(borders.map((border) => border % bytes.length))].sort((a, b) => a - b);
  const pieces = [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length));
  const inHeader = /^[\x20-\x7e]*$/.test(text) ? text : 'none';
  const headers = new Headers({ 'x-echo': inHeader, location: `/moved?${inHeader.replaceAll(' ', '+')}` });
  if (type !== '') headers.set('content-type', `${type}; note=${inHeader}`);
  if (hasLength) headers.set('content-length', String(bytes.length));
  const body = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else if (piece.length > 0) controller.enqueue(new Uint8Array(piece));
    },
  });
  return new Response(body, { status, headers });
}

/** A consumer whose one backend answers so. */
function consumer(tried: Case): ConsumerEnv {
  return {
    shard: '0',
    publicUrl: 'http://tasklane.test',
    services: { echo: SERVICE },
    known: new KnownServices({ echo: SERVICE }, () => undefined),
    registry: { readServices: async () => undefined },
    outbound: async () => answerOf(tried),
    refusesConnections: async () => false,
    backend: () => undefined,
    secret: () => tried.secret,
    redactor: () => new Redactor([tried.secret]),
  } as unknown as ConsumerEnv;
}

const call = (): Call => ({
  id: ID,
  service: 'echo',
  state: {
    status: 'running',
    run: 1,
    deferrals: 0,
    attemptsOffset: 0,
    policy: { maxAttempts: 3, baseSeconds: 1, capSeconds: 1 },
    deadlineAt: Date.now() + 60_000,
    leaseUntil: Date.now() + 50_000,
  },
  request: {},
  callbackToken: TOKEN,
});

/** What anybody gets to see, with what is packed in base64 unpacked. */
function expectClean(shown: string, { secret, written }: Case): void {
  const readable = shown.replace(/[A-Za-z0-9+/]{16,}={0,2}/g, (found) => `${found} ${atobOrNothing(found)}`);
  // An error shows no bytes.
  if (readable.includes('xyz ')) expect(readable).toContain(REPLACEMENT);
  for (const each of [
    secret,
    JSON.stringify(secret).slice(1, -1),
    written.text,
    JSON.stringify(written.text).slice(1, -1),
  ]) {
    expect(readable).not.toContain(each);
  }
}

function atobOrNothing(text: string): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}

describe('a secret in an answer', () => {
  it('does not come out of the attempt of a task', async () => {
    await fc.assert(
      fc.asyncProperty(answers, async (tried) => {
        const timeouts = new Timeouts();
        const { outcome } = await attempt(consumer(tried), call(), new AbortController(), timeouts);
        const told = { ...outcome, at: undefined };
        expectClean(JSON.stringify(told), tried);
      }),
      RUNS,
    );
  });

  it('does not come through the synchronous route', async () => {
    await fc.assert(
      fc.asyncProperty(answers, async (tried) => {
        const request = new Request(`${SYNC_ORIGIN}/x`, {
          method: 'POST',
          body: 'work',
          headers: { 'content-length': '4' },
        });
        const asked = { id: crypto.randomUUID(), service: 'echo', servicesVersion: 0, patientUntil: 0, hops: 0 };
        const response = await proxy(consumer(tried), request, asked, () => {});
        const body = Buffer.from(await response.arrayBuffer()).toString('latin1');
        expectClean(`${body}\n${[...response.headers].map((field) => field.join(': ')).join('\n')}`, tried);
        expect(body.startsWith('xyz ') && body.endsWith(' zyx')).toBe(true);
      }),
      RUNS,
    );
  });
});
