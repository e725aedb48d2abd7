/**
 * Cloudflare's REST API, as far as a deploy needs it. Calls that may be repeated (all but POST) are, on 429, 5xx, a
 * lost connection or a time-out, with growing pauses and never before `Retry-After`; so are, for half a minute after
 * something was made, a 404 and a 409, which the account answers until all of it knows. A POST is repeated by whoever
 * can tell whether the first one landed. Bodies are never part of a message.
 */
import * as z from 'zod';
import { ApiError, remedyOf } from './api-error.ts';
import { type Clock, Pace, SYSTEM_CLOCK } from './pace.ts';

const EnvelopeSchema = z.looseObject({
  success: z.boolean(),
  errors: z.array(z.looseObject({ code: z.number().optional(), message: z.string() })).default([]),
  result: z.unknown(),
  result_info: z
    .looseObject({
      page: z.number().optional(),
      per_page: z.number().optional(),
      count: z.number().optional(),
      total_count: z.number().optional(),
      total_pages: z.number().optional(),
    })
    .nullish(),
});

export interface ApiAccess {
  /** `https://api.cloudflare.com/client/v4`, or a stub's address. */
  readonly baseUrl: string;
  readonly accountId: string;
  readonly token: string;
  /** Pauses before the second, third, … try. */
  readonly pausesMs?: readonly number[];
  /** The same while the account learns of something that was just made. */
  readonly settlePausesMs?: readonly number[];
  readonly timeoutMs?: number;
  /** Told before every pause, so that a person sees why it takes long. */
  readonly onPause?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const PAUSES_MS = [1_000, 3_000, 8_000];

/** Half a minute: as long as an upload may take to be known everywhere (wrangler waits as long for `/workers/services`). */
const SETTLE_PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const SETTLE_MS = 30_000;

/** An upload of some megabytes over a slow line. */
const TIMEOUT_MS = 120_000;

/** Whoever makes too many calls is refused for five minutes (developers.cloudflare.com/fundamentals/api/reference/limits). */
const MAX_PAUSE_MS = 300_000;

const PAGE_SIZE = 100;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface Answer {
  readonly result: unknown;
  readonly pages: z.output<typeof EnvelopeSchema>['result_info'];
}

export class CloudflareApi {
  readonly #access: ApiAccess;
  readonly #clock: Clock;
  readonly #pace: Pace;
  /** Until then the account may not know everywhere what was made last, by this run or by one that just ended. */
  #settledAt: number;

  constructor(access: ApiAccess) {
    this.#access = access;
    this.#clock = access.clock ?? SYSTEM_CLOCK;
    this.#settledAt = this.#clock.now() + SETTLE_MS;
    this.#pace = new Pace(this.#clock, access.onPause, access.signal);
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

  /** Every page of a list, however the API says how many there are: in pages, in items, or not at all. */
  async list<Schema extends z.ZodType>(path: string, item: Schema): Promise<z.output<Schema>[]> {
    const items: z.output<Schema>[] = [];
    for (let page = 1; ; page++) {
      const separator = path.includes('?') ? '&' : '?';
      const answer = await this.#repeat('GET', `${path}${separator}page=${page}&per_page=${PAGE_SIZE}`);
      const found = parse(z.array(item), answer.result, path);
      items.push(...found);
      if (found.length === 0 || isLast(page, found.length, items.length, answer.pages)) return items;
    }
  }

  /** Once: it may have landed even if this throws. @returns what was made */
  async post<Schema extends z.ZodType>(path: string, body: unknown, schema: Schema): Promise<z.output<Schema>> {
    const { result } = await this.#once('POST', path, body);
    this.noteMade();
    return parse(schema, result, path);
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
    this.noteMade();
  }

  /** Changes some members and removes those that are null (RFC 7396). */
  async merge(path: string, body: unknown): Promise<void> {
    await this.#repeat('PATCH', path, body, 'application/merge-patch+json');
  }

  async patch(path: string, body: unknown): Promise<void> {
    await this.#repeat('PATCH', path, body);
  }

  /** What is gone already counts as deleted. */
  async delete(path: string): Promise<void> {
    try {
      await this.#repeat('DELETE', path);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  /** Something new exists: calls that name it may be refused for a while. */
  noteMade(): void {
    this.#settledAt = this.#clock.now() + SETTLE_MS;
  }

  /**
   * Waits before a call is made another time.
   * @param tries how often it was made
   * @returns false when it would fail again
   */
  async waitAfter(error: unknown, tries: number): Promise<boolean> {
    if (!(error instanceof ApiError)) return false;
    const isSettling = error.isUnsettled && this.#clock.now() < this.#settledAt;
    const pauses = isSettling
      ? (this.#access.settlePausesMs ?? SETTLE_PAUSES_MS)
      : (this.#access.pausesMs ?? PAUSES_MS);
    const pauseMs = pauses[tries - 1];
    if (!(error.isPassing || isSettling) || pauseMs === undefined) return false;
    const longEnough = Math.max(pauseMs, error.retryAfterMs);
    if (longEnough > MAX_PAUSE_MS) return false;
    this.#access.onPause?.(`${error.message}; again in ${Math.ceil(longEnough / 1000)} s`);
    // Calls that others are about to make would be refused just the same.
    if (error.status === 429) this.#pace.blockFor(longEnough);
    await this.#clock.sleep(longEnough, this.#access.signal);
    return true;
  }

  async #repeat(method: Method, path: string, body?: unknown, contentType?: string): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(method, path, body, contentType);
      } catch (error) {
        // Whether something exists, or is gone already, is what the first answer says.
        const isAnswer = (method === 'GET' || method === 'DELETE') && error instanceof ApiError && error.status === 404;
        if (isAnswer || !(await this.waitAfter(error, tries))) throw error;
      }
    }
  }

  async #once(method: Method, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    const { baseUrl, accountId, token, timeoutMs = TIMEOUT_MS, signal } = this.#access;
    await this.#pace.take();
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
    return read(method, path, response, text);
  }
}

/** Lists say in different ways how long they are, and D1's says the count of all items and no count of pages. */
function isLast(page: number, found: number, soFar: number, pages: Answer['pages']): boolean {
  if (pages?.total_pages !== undefined) return page >= pages.total_pages;
  if (pages?.total_count !== undefined) return soFar >= pages.total_count;
  // A list without any of it is whole, unless a page is as full as it was asked for.
  return pages?.per_page === undefined || found < pages.per_page;
}

function read(method: Method, path: string, response: Response, text: string): Answer {
  const envelope = EnvelopeSchema.safeParse(asJson(text));
  if (response.ok && envelope.success && envelope.data.success) {
    return { result: envelope.data.result, pages: envelope.data.result_info };
  }
  const errors = envelope.data?.errors ?? [];
  const said = envelope.success
    ? errors.map(({ code, message }) => (code === undefined ? message : `${message} (${code})`)).join('; ')
    : 'the answer is not from the API';
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? 0);
  const remedy = remedyOf(response.status, path);
  const reason = said || response.statusText;
  throw new ApiError(`${method} ${path}`, response.status, remedy === undefined ? reason : `${reason}: ${remedy}`, {
    code: errors[0]?.code,
    retryAfterMs: retryAfterSeconds > 0 ? retryAfterSeconds * 1000 : 0,
  });
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
