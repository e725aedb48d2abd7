/**
 * Reading a JSON body safely: its type, size, encoding and depth are checked before anything parses
 * it. It is parsed once, and what a task carries through to its backend keeps its own spelling.
 */
import type { MiddlewareHandler } from 'hono';
import type { ProblemDetails } from '../shared/problem/problem.ts';
import { refuse } from './answer.ts';
import type { AppEnv } from './app.ts';
import { type JsonPath, JsonText, parseJson } from './json/json-text.ts';
import { nestsDeeperThan } from './json/scan.ts';

const MAX_DEPTH = 64;

/** A body of 64 KB may grow sixfold by JSON escapes; the rest is for headers, labels and names. */
export const MAX_TASK_BODY_BYTES = 512 * 1024;
export const MAX_BATCH_BODY_BYTES = 8 * 1024 * 1024;

const JSON_TYPE = /^application\/(?:[a-z.-]+\+)?json\s*(?:;|$)/i;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * @param verbatim where values stand that are kept as they were written: the schema sees a `JsonText` there
 */
export function readsJson(maxBytes: number, verbatim: readonly JsonPath[] = []): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const request = c.req.raw;
    const refusal = headersRefusal(request.headers, maxBytes);
    if (refusal !== undefined) return refusal;
    const read = await readBytes(request, maxBytes);
    if (!read.ok)
      return read.code === 'too-large' ? tooLarge(maxBytes) : malformed('The body ended before it was complete.');
    const text = decode(read.bytes);
    if (text === undefined) return malformed('The body is not valid UTF-8.');
    if (nestsDeeperThan(text, MAX_DEPTH)) return malformed(`The body nests deeper than ${MAX_DEPTH} levels.`);
    const parsed = parseJson(text, verbatim);
    if (!parsed.ok) return malformed(parsed.fault);
    const reserved = reservedName(parsed.value, text);
    if (reserved !== undefined) return refuse('invalid-request', reserved);
    // Hono's validator, and handlers, ask the request for its JSON.
    c.req.json = async <Value>() => parsed.value as Value;
    return next();
  };
}

/** For what may be asked with a body or without: none is an empty object. */
export function mayReadJson(maxBytes: number): MiddlewareHandler<AppEnv> {
  const read = readsJson(maxBytes);
  return (c, next) => (hasBody(c.req.raw) ? read(c, next) : next());
}

function hasBody({ body, headers }: Request): boolean {
  return body !== null && headers.get('content-length') !== '0';
}

function headersRefusal(headers: Headers, maxBytes: number): Response | undefined {
  const type = headers.get('content-type');
  if (type === null || !JSON_TYPE.test(type)) {
    return refuse('unsupported-media-type', { detail: 'Send JSON with `Content-Type: application/json`.' });
  }
  const encoding = headers.get('content-encoding');
  if (encoding !== null && encoding !== 'identity') {
    return refuse('unsupported-media-type', { detail: 'Send the body without Content-Encoding.' });
  }
  return Number(headers.get('content-length') ?? 0) > maxBytes ? tooLarge(maxBytes) : undefined;
}

type Read =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: 'too-large' | 'broken' };

async function readBytes(request: Request, maxBytes: number): Promise<Read> {
  try {
    // The announced length was checked; one read is faster than a stream of pieces.
    if (request.headers.has('content-length')) {
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
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return { ok: true, bytes };
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
