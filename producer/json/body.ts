/**
 * Reading a JSON body safely: its type, size, encoding and depth are checked before anything parses
 * it. It is parsed once, and what a task carries through to its backend keeps its own spelling.
 */

import type { Context, MiddlewareHandler } from 'hono';
import { joinBytes } from '../../shared/bytes.ts';
import type { ProblemDetails } from '../../shared/problem/problem.ts';
import { readBounded } from '../../shared/sync/bounded-read.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { refuse } from '../answer/answer.ts';
import type { AppEnv } from '../app.ts';
import { type JsonPath, JsonText, parseJson } from './json-text.ts';
import { dropRefused, type LargeJson, MAX_LARGE_JSON_BYTES, splitJson } from './large-json.ts';
import type { LargeValue } from './large-value.ts';
import { nestsDeeperThan } from './scan.ts';

const MAX_DEPTH = 64;

/** An inline body may grow sixfold by JSON escapes; the rest is for headers, labels and names. */
export const MAX_TASK_BODY_BYTES = 6 * MAX_INLINE_BYTES + 128 * 1024;
export const MAX_BATCH_BODY_BYTES = 8 * 1024 * 1024;

const JSON_TYPE = /^application\/(?:[a-z.-]+\+)?json(?:;\s*[a-z0-9-]+=[^;]+)*$/i;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * @param verbatim where values stand that are kept as they were written: the schema sees a `JsonText` there
 * @param large what may be larger than all of this, and streams into the bucket where there is one
 */
export function readsJson(
  maxBytes: number,
  verbatim: readonly JsonPath[] = [],
  large?: LargeJson,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const largeJson = c.env.runtime.config.bodies === undefined ? undefined : large;
    const refusal = headersRefusal(c.get('headers'), largeJson === undefined ? maxBytes : MAX_LARGE_JSON_BYTES);
    if (refusal !== undefined) return refusal;
    const read = await readText(c, maxBytes, largeJson);
    if (!read.ok) return read.refusal;
    const { text, value: taken } = read;
    if (nestsDeeperThan(text, MAX_DEPTH)) return malformed(`The body nests deeper than ${MAX_DEPTH} levels.`);
    const parsed = parseJson(text, verbatim);
    if (!parsed.ok) return malformed(parsed.fault);
    const reserved = reservedName(parsed.value, text);
    if (reserved !== undefined) return refuse('invalid-request', reserved);
    if (taken !== undefined) {
      Reflect.deleteProperty(parsed.value as object, taken.name);
      c.set('large', taken);
    }
    provideJson(c, parsed.value);
    await next();
    if (taken !== undefined) await dropRefused(c, taken);
    return undefined;
  };
}

function provideJson(c: Context<AppEnv>, json: unknown): void {
  c.set('json', json);
  // Hono's validator, and handlers, ask the request for it.
  c.req.json = async <Value>() => json as Value;
}

type ReadText =
  | { readonly ok: true; readonly text: string; readonly value?: LargeValue | undefined }
  | { readonly ok: false; readonly refusal: Response };

async function readText(c: Context<AppEnv>, maxBytes: number, large: LargeJson | undefined): Promise<ReadText> {
  const request = c.req.raw;
  const said = c.get('headers').get('content-length');
  const mayBeLarge = large !== undefined && (said === undefined || Number(said) > maxBytes);
  // The stream of a body costs as much as reading a small one: it is asked for where it is needed.
  if (mayBeLarge && request.body !== null) {
    const stream = said === undefined ? await streamOfLarge(request, maxBytes) : request.body;
    if (stream instanceof Uint8Array) return decoded(stream);
    const split = await splitJson(c, stream, large, maxBytes);
    return split.ok ? { ok: true, text: split.rest, value: split.large } : split;
  }
  const read = await readBytes(request, maxBytes, said !== undefined);
  if (read.ok) return decoded(read.bytes);
  const isLarge = read.code === 'too-large';
  return { ok: false, refusal: isLarge ? tooLarge(maxBytes) : malformed('The body ended before it was complete.') };
}

/** All of a body whose length is not said, if it is small. */
async function streamOfLarge(request: Request, maxBytes: number): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const read = await readBounded(request, maxBytes);
  return 'whole' in read ? read.whole : read.stream;
}

function decoded(bytes: Uint8Array): ReadText {
  const text = decode(bytes);
  return text === undefined ? { ok: false, refusal: malformed('The body is not valid UTF-8.') } : { ok: true, text };
}

/** For what may be asked with a body or without: none is an empty object. */
export function mayReadJson(maxBytes: number): MiddlewareHandler<AppEnv> {
  const read = readsJson(maxBytes);
  return (c, next) => {
    if (hasBody(c.req.raw)) return read(c, next);
    // Many clients say that they send JSON whether they send any or not.
    provideJson(c, {});
    return next();
  };
}

function hasBody({ body, headers }: Request): boolean {
  return body !== null && headers.get('content-length') !== '0';
}

function headersRefusal(headers: ReadonlyMap<string, string>, maxBytes: number): Response | undefined {
  const type = headers.get('content-type');
  if (type === undefined || !JSON_TYPE.test(type)) {
    return refuse('unsupported-media-type', { detail: 'Send JSON with `Content-Type: application/json`.' });
  }
  const encoding = headers.get('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    return refuse('unsupported-media-type', { detail: 'Send the body without Content-Encoding.' });
  }
  return Number(headers.get('content-length') ?? 0) > maxBytes ? tooLarge(maxBytes) : undefined;
}

type Read =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: 'too-large' | 'broken' };

async function readBytes(request: Request, maxBytes: number, saysLength: boolean): Promise<Read> {
  try {
    // The announced length was checked; one read is faster than a stream of pieces.
    if (saysLength) {
      const bytes = new Uint8Array(await request.arrayBuffer());
      return bytes.byteLength > maxBytes ? { ok: false, code: 'too-large' } : { ok: true, bytes };
    }
    return await readStream(request.body, maxBytes);
  } catch {
    return { ok: false, code: 'broken' };
  }
}

async function readStream(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Read> {
  if (body === null) return { ok: true, bytes: new Uint8Array() };
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.byteLength;
    if (size > maxBytes) return { ok: false, code: 'too-large' };
    parts.push(part);
  }
  return { ok: true, bytes: joinBytes(parts, size) };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function tooLarge(maxBytes: number): Response {
  return refuse('body-too-large', { detail: `The whole body may have ${maxBytes} bytes.` });
}

function malformed(detail: string): Response {
  return refuse('malformed-body', { detail });
}

/**
 * A member named `__proto__` would be dropped by whatever copies members into an object, silently: it is
 * refused wherever it stands in what is read. What goes through as text may have it.
 */
function reservedName(value: unknown, text: string): ProblemDetails | undefined {
  // The name may be written with escapes.
  if (!text.includes('proto__') && !text.includes('\\u')) return undefined;
  const field = pointerToReserved(value);
  if (field === undefined) return undefined;
  const reason = 'is a name that cannot be kept; choose another';
  return { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
}

function pointerToReserved(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || value instanceof JsonText) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (name === '__proto__') return `/${name}`;
    const below = pointerToReserved(member);
    if (below !== undefined) return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}${below}`;
  }
  return undefined;
}
