/**
 * Cloudflare's REST API, as far as a deploy needs it. Calls that may be repeated (all but POST) are, on
 * 429, 5xx, a lost connection or a time-out, with growing pauses and never before `Retry-After`; a POST
 * is repeated by whoever can tell whether the first one landed. Bodies are never part of a message.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';

const EnvelopeSchema = z.looseObject({
  success: z.boolean(),
  errors: z.array(z.looseObject({ code: z.number().optional(), message: z.string() })).default([]),
  result: z.unknown(),
  result_info: z.looseObject({ total_pages: z.number().optional() }).nullish(),
});

export interface ApiAccess {
  /** `https://api.cloudflare.com/client/v4`, or a stub's address. */
  readonly baseUrl: string;
  readonly accountId: string;
  readonly token: string;
  /** Pauses before the second, third, … try. */
  readonly pausesMs?: readonly number[];
  readonly timeoutMs?: number;
  /** Told before every pause, so that a person sees why it takes long. */
  readonly onPause?: (line: string) => void;
  readonly signal?: AbortSignal;
}

const PAUSES_MS = [1_000, 3_000, 8_000];

/** An upload of some megabytes over a slow line. */
const TIMEOUT_MS = 120_000;

/** A minute at most: a deploy that is asked to wait longer says so and ends. */
const MAX_PAUSE_MS = 60_000;

const PAGE_SIZE = 100;

/** The API refused, or did not answer; the message says what was asked and what it said. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0 when there was no answer. */
  readonly status: number;

  constructor(what: string, status: number, said: string) {
    super(`${what}: ${status === 0 ? '' : `${status} `}${said}`);
    this.status = status;
  }

  /** The same call may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface Answer {
  readonly result: unknown;
  readonly totalPages: number;
}

export class CloudflareApi {
  readonly #access: ApiAccess;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  /** @param path below the account: `/queues` */
  async get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    const { result } = await this.#repeat('GET', path);
    return parse(schema, result, path);
  }

  /** undefined when there is no such thing. */
  async find<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema> | undefined> {
    try {
      return await this.get(path, schema);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Every page of a list. */
  async list<Schema extends z.ZodType>(path: string, item: Schema): Promise<z.output<Schema>[]> {
    const items: z.output<Schema>[] = [];
    for (let page = 1, pages = 1; page <= pages; page++) {
      const separator = path.includes('?') ? '&' : '?';
      const answer = await this.#repeat('GET', `${path}${separator}page=${page}&per_page=${PAGE_SIZE}`);
      items.push(...parse(z.array(item), answer.result, path));
      pages = answer.totalPages;
    }
    return items;
  }

  /** Once: it may have landed even if this throws. */
  async post(path: string, body: unknown): Promise<unknown> {
    return (await this.#once('POST', path, body)).result;
  }

  /** A POST that may be repeated: what it sets is the same each time. */
  async postAgain(path: string, body: unknown): Promise<unknown> {
    return (await this.#repeat('POST', path, body)).result;
  }

  async put(path: string, body: unknown): Promise<void> {
    await this.#repeat('PUT', path, body);
  }

  /** Once: what it does depends on whether it was done before. */
  async putOnce(path: string, body: unknown): Promise<void> {
    await this.#once('PUT', path, body);
  }

  /** Changes some members and removes those that are null (RFC 7396). */
  async patch(path: string, body: unknown): Promise<void> {
    await this.#repeat('PATCH', path, body, 'application/merge-patch+json');
  }

  /** What is gone already counts as deleted. */
  async delete(path: string): Promise<void> {
    try {
      await this.#repeat('DELETE', path);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  async #repeat(method: Method, path: string, body?: unknown, contentType?: string): Promise<Answer> {
    const pauses = this.#access.pausesMs ?? PAUSES_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(method, path, body, contentType);
      } catch (error) {
        const pauseMs = pauses[attempt];
        if (!(error instanceof ApiError && error.isPassing) || pauseMs === undefined) throw error;
        const longEnough = Math.max(pauseMs, error instanceof Throttled ? error.retryAfterMs : 0);
        if (longEnough > MAX_PAUSE_MS) throw error;
        this.#access.onPause?.(`${error.message}; again in ${Math.ceil(longEnough / 1000)} s`);
        await sleep(longEnough, undefined, { signal: this.#access.signal });
      }
    }
  }

  async #once(method: Method, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    const { baseUrl, accountId, token, timeoutMs = TIMEOUT_MS, signal } = this.#access;
    const isForm = body instanceof FormData;
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${baseUrl}/accounts/${accountId}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && !isForm && { 'content-type': contentType }),
        },
        ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      text = await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw new ApiError(`${method} ${path}`, 0, reasonOf(error));
    }
    return read(`${method} ${path}`, response, text);
  }
}

class Throttled extends ApiError {
  readonly retryAfterMs: number;

  constructor(what: string, status: number, said: string, retryAfterMs: number) {
    super(what, status, said);
    this.retryAfterMs = retryAfterMs;
  }
}

function read(what: string, response: Response, text: string): Answer {
  const envelope = EnvelopeSchema.safeParse(asJson(text));
  if (response.ok && envelope.success && envelope.data.success) {
    return { result: envelope.data.result, totalPages: envelope.data.result_info?.total_pages ?? 1 };
  }
  const said = envelope.success
    ? envelope.data.errors
        .map(({ code, message }) => (code === undefined ? message : `${message} (${code})`))
        .join('; ')
    : 'the answer is not from the API';
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? 0);
  if (retryAfterSeconds > 0) throw new Throttled(what, response.status, said, retryAfterSeconds * 1000);
  throw new ApiError(what, response.status, said || response.statusText);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, path: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ApiError(`GET ${path}`, 200, `an answer of an unknown form: ${issue?.path.join('.')} ${issue?.message}`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  return error.cause instanceof Error ? error.cause.message : error.message;
}
