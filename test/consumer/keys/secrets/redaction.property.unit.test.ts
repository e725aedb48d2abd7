/** Every way in which a secret may be written down, cut anywhere, on the way of a task and on the synchronous route. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callRedaction } from '../../../../consumer/keys/secrets/callback-token.ts';
import { REPLACEMENT, Redactor, redactContent } from '../../../../consumer/keys/secrets/redaction.ts';
import { redactedStream } from '../../../../consumer/keys/secrets/redaction-stream.ts';
import { contentFromBytes } from '../../../../shared/task/content.ts';
import { secrets, type Written, writtenDown } from './spellings.ts';

/** The same cases in every run, so that a failure is the change's. */
const RUNS = { numRuns: 800, seed: 35 };

const NO_SECRETS = new Redactor([]);

/** A secret, a text that holds it, and where the text is cut into pieces. */
const cases = secrets.chain((secret) =>
  fc.record({
    secret: fc.constant(secret),
    written: writtenDown(secret),
    // Not its first character: with some notations that, too, may be read as where the secret begins.
    before: fc.string({
      unit: fc.constantFrom(...'xyz ,.').filter((char) => !secret.toLowerCase().startsWith(char)),
      maxLength: 20,
    }),
    after: fc.string({ unit: fc.constantFrom(...'xyz ,.'), maxLength: 20 }),
    borders: fc.array(fc.nat(400), { maxLength: 12 }),
  }),
);

function expectClean(clean: string, { text, slack }: Written, before: string, after: string): void {
  expect(clean).toContain(REPLACEMENT);
  expect(clean.startsWith(before)).toBe(true);
  expect(clean.endsWith(after)).toBe(true);
  // Nothing is left where it stood but what stands for its neighbours, too.
  expect(clean.length - before.length - after.length - REPLACEMENT.length, text).toBeLessThanOrEqual(slack);
}

function piecesOf(text: string, borders: readonly number[]): Uint8Array[] {
  const bytes = Buffer.from(text, 'latin1');
  const cuts = [...new Set(borders.map((border) => border % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length));
}

function streamOf(pieces: readonly Uint8Array[], error?: Error): ReadableStream<Uint8Array> {
  const left = pieces.filter(({ length }) => length > 0);
  return new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece !== undefined) controller.enqueue(piece);
      else if (error === undefined) controller.close();
      else controller.error(error);
    },
  });
}

describe('a secret that a backend sends back', () => {
  it('is taken out of the result and the error of a task, however it is written', () => {
    fc.assert(
      fc.property(cases, ({ secret, written, before, after }) => {
        const redactor = new Redactor([secret]);
        const bytes = Buffer.from(before + written.text + after, 'latin1');
        for (const type of ['text/plain', 'application/octet-stream']) {
          const content = redactContent(contentFromBytes(type, bytes), (text) => redactor.text(text));
          const clean = content.encoding === 'base64' ? atob(content.text) : content.text;
          expectClean(clean, written, before, after);
        }
      }),
      RUNS,
    );
  });

  it('is taken out of a stream wherever that is cut, as it is out of the whole', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ secret, written, before, after, borders }) => {
        const redactor = new Redactor([secret]);
        const text = before + written.text + after;
        const stream = redactedStream(streamOf(piecesOf(text, borders)), redactor);
        const clean = Buffer.from(await new Response(stream).arrayBuffer()).toString('latin1');
        expectClean(clean, written, before, after);
        expect(clean).toBe(redactor.text(text));
      }),
      RUNS,
    );
  });

  it('is taken out where it is the token to call back with', () => {
    const tokens = fc
      .tuple(
        fc.integer({ min: 1, max: 120 }),
        fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 48, maxLength: 48 }),
      )
      .map(([run, mac]) => `${run}.${mac}`);
    fc.assert(
      fc.property(
        tokens.chain((token) => fc.tuple(fc.constant(token), writtenDown(token))),
        ([token, written]) =>
          expectClean(callRedaction(NO_SECRETS, token)(`it is ${written.text} now`), written, 'it is ', ' now'),
      ),
      RUNS,
    );
  });

  it('looks no closer at the usual media types, which are as long as half a token', () => {
    const types = [
      'application/json; charset=utf-8',
      'application/problem+json',
      'text/html;charset=UTF-8',
      'text/plain',
    ];
    fc.assert(
      fc.property(
        fc.stringMatching(/^[1-9]\.[0-9a-f]{32}$/),
        fc.constantFrom(...types),
        (token, type) => callRedaction(NO_SECRETS, token)(type) === type,
      ),
      RUNS,
    );
    const token = `1.${'0123456789abcdef'.repeat(2)}`;
    expect(callRedaction(NO_SECRETS, token)(`application/json; charset=${token}`)).toBe(
      `application/json; charset=${REPLACEMENT}`,
    );
  });

  it('leaves a document of JSON one', () => {
    fc.assert(
      fc.property(secrets, fc.nat(6), fc.string(), (secret, way, beside) => {
        const written = JSON.stringify({ [beside]: `${beside}${secret}${beside}`, [secret]: [secret] });
        const document = way === 0 ? written : rewritten(written, way);
        const clean = new Redactor([secret]).text(document);
        expect(() => JSON.parse(clean), clean).not.toThrow();
        expect(JSON.stringify(JSON.parse(clean))).not.toContain(JSON.stringify(secret).slice(1, -1));
      }),
      RUNS,
    );
  });
});

/** The same document with every so-many-th letter as an escape. */
function rewritten(json: string, every: number): string {
  return json.replace(/(?<!\\)(?:\\\\)*[A-Za-tv-z0-9](?![^"]*$)/g, (found, at: number) =>
    at % every === 0 && found.length === 1 && !/[\\u]/.test(json.slice(Math.max(0, at - 6), at))
      ? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
      : found,
  );
}

describe('a text without the secret', () => {
  it('passes as it is, in pieces that nothing holds back', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, fc.string(), fc.array(fc.nat(400)), async (secret, text, borders) => {
        fc.pre(!text.toLowerCase().includes(secret.slice(0, 8).toLowerCase()));
        const latin = Buffer.from(text).toString('latin1');
        const redactor = new Redactor([secret]);
        expect(redactor.text(latin)).toBe(latin);
        const stream = redactedStream(streamOf(piecesOf(latin, borders)), redactor);
        expect(Buffer.from(await new Response(stream).arrayBuffer()).toString('latin1')).toBe(latin);
      }),
      RUNS,
    );
  });

  it('loses nothing of what came when its stream breaks off, and then breaks off', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, fc.nat(7), fc.array(fc.nat(60)), async (secret, chars, borders) => {
        // So short a beginning may be anything.
        const text = `data: ${secret.slice(0, Math.min(chars, Math.floor(secret.length / 2)))}`;
        const broken = new Error('connection lost');
        const reader = redactedStream(streamOf(piecesOf(text, borders), broken), new Redactor([secret])).getReader();
        let came = '';
        const failed = await (async () => {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) return undefined;
            came += Buffer.from(value).toString('latin1');
          }
        })().catch((error: unknown) => error);
        expect(came).toBe(text);
        expect(failed).toBe(broken);
      }),
      // Each waits a moment before it breaks off.
      { numRuns: 60, seed: 35 },
    );
  });
});
