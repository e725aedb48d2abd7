/**
 * Reading JSON whose payload, or result, is too large to be held: that value streams into the bucket while the rest is
 * read, and the route finds a description of it in the context (`large`). What a refused request brought is deleted again.
 */
import type { Context } from 'hono';
import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { BodiesBusyError, type Written, writeBody } from '../../shared/bodies/write-body.ts';
import { isJson, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { MAX_JSON_BODY_BYTES, type StoredBody } from '../../shared/task/stored-body.ts';
import { refuse, unavailable } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { AppEnv } from '../app.ts';
import { base64Bytes } from './base64-text.ts';
import { tooLarge } from './inline-content.ts';
import type { LargeValue } from './large-value.ts';
import { JsonFault, JsonSplit, RestTooLargeError } from './split.ts';

export interface LargePlace {
  readonly bucket: R2Bucket;
  readonly key: string;
  readonly id: string;
  /** The group that was named before it. */
  readonly group?: string | undefined;
  /** What is done to the value on its way. */
  readonly clean?: (pieces: ReadableStream<Uint8Array>, type: string) => Promise<ReadableStream<Uint8Array>>;
}

export interface LargeJson {
  /** The members that may be large, and whether they are base64. */
  readonly members: Readonly<Record<string, boolean>>;
  /**
   * Asked when such a value comes; a response refuses the request.
   * @param before the members before it
   */
  place(c: Context<AppEnv>, before: Readonly<Record<string, unknown>>): Promise<LargePlace | Response>;
}

/** Base64 takes a third more than what it stands for. */
export const MAX_LARGE_JSON_BYTES = Math.ceil((MAX_JSON_BODY_BYTES * 4) / 3) + 512 * 1024;

const MAX_DEPTH = 64;

export type SplitJson =
  | { readonly ok: true; readonly rest: string; readonly large: LargeValue | undefined }
  | { readonly ok: false; readonly refusal: Response };

/** @param restBytes of everything but the large value */
export async function splitJson(
  c: Context<AppEnv>,
  pieces: AsyncIterable<Uint8Array>,
  { members, place }: LargeJson,
  restBytes: number,
): Promise<SplitJson> {
  const limits = { names: new Set(Object.keys(members)), smallBytes: MAX_INLINE_BYTES, restBytes, maxDepth: MAX_DEPTH };
  const split = new JsonSplit(limits);
  let sink: Sink | undefined;
  let large: LargeValue | undefined;
  try {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > MAX_LARGE_JSON_BYTES)
        return await withDiscarded(sink, refused(tooLarge('The body', MAX_JSON_BODY_BYTES)));
      for (const event of split.push(piece)) {
        if (event.kind === 'start') {
          if (large !== undefined) throw new JsonFault(`/${event.name}: cannot stand beside /${large.name}.`);
          const placed = await place(c, split.before());
          if (placed instanceof Response) return { ok: false, refusal: placed };
          sink = await Sink.open(placed, event.name, members[event.name] === true);
        } else if (event.kind === 'piece') await sink?.write(event.bytes);
        else {
          large = await sink?.end();
          sink = undefined;
        }
      }
    }
    return { ok: true, rest: split.end(), large };
  } catch (error) {
    if (large !== undefined) await drop(c, large);
    return withDiscarded(sink, await refusalOf(error, sink));
  }
}

/** What a refused request brought. After a 5xx nobody knows whether the task was sent: it stays, or is found as an orphan. */
export async function dropRefused(c: Context<AppEnv>, large: LargeValue): Promise<void> {
  if (c.res.status >= 400 && c.res.status < 500) await drop(c, large);
}

function drop(c: Context<AppEnv>, { body }: LargeValue): Promise<void> {
  return deleteBodies(c.env.runtime.config.bodies, [body.key]);
}

/**
 * The description under the media type that was said, which may have come after the value.
 * @returns undefined where the value would have to be read for it: a text that is sent as text
 */
export function typedBody({ isBase64, body }: LargeValue, contentType: string | undefined): StoredBody | undefined {
  const type = contentType ?? body.type;
  return isBase64 || isJson(type) ? { ...body, type } : undefined;
}

/** What stands in for the value where a submission is compared with another. */
export function comparable({ name, body }: LargeValue): Record<string, unknown> {
  return { [name]: { bytes: body.bytes, etag: body.etag } };
}

export function notAsText(name: string): Refusal {
  const field = `/${name}`;
  const reason = 'that large it is sent as JSON; send a text as base64, or upload it';
  return { code: 'invalid-request', details: { detail: `${field}: ${reason}`, errors: [{ field, reason }] } };
}

class TooLargeError extends Error {}

class Sink {
  readonly #place: LargePlace;
  readonly #name: string;
  readonly #isBase64: boolean;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #written: Promise<Written>;
  /** What is wrong with the value: a stream passes it on as another error. */
  readonly #faults: readonly unknown[];

  private constructor(
    place: LargePlace,
    name: string,
    isBase64: boolean,
    faults: readonly unknown[],
    written: (from: ReadableStream) => Promise<Written>,
  ) {
    const { readable, writable } = new IdentityTransformStream();
    this.#place = place;
    this.#name = name;
    this.#isBase64 = isBase64;
    this.#faults = faults;
    this.#writer = writable.getWriter();
    this.#written = written(readable);
    // Looked at when the next piece is written.
    this.#written.catch(() => {});
  }

  static async open(place: LargePlace, name: string, isBase64: boolean): Promise<Sink> {
    const type = isBase64 ? 'application/octet-stream' : 'application/json';
    const { bucket, key, clean } = place;
    const faults: unknown[] = [];
    return new Sink(place, name, isBase64, faults, async (from: ReadableStream<Uint8Array>) => {
      const bytes = isBase64 ? streamOf(base64Bytes(from, name), (fault) => faults.push(fault)) : from;
      const pieces = clean === undefined ? bytes : await clean(bytes, type);
      return writeBody(bucket, key, pieces, { type, maxBytes: MAX_JSON_BODY_BYTES });
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.write(bytes);
    } catch {
      await this.#fail();
    }
  }

  async end(): Promise<LargeValue> {
    await this.#writer.close().catch(() => {});
    const { body } = await this.#fail();
    return { name: this.#name, isBase64: this.#isBase64, body, id: this.#place.id, group: this.#place.group };
  }

  async abort(): Promise<void> {
    await this.#writer.abort().catch(() => {});
    await this.#written.catch(() => {});
  }

  /** What came of the writing, once it is over. */
  async #fail(): Promise<Extract<Written, { ok: true }>> {
    const written = await this.#written.catch((error: unknown) => {
      throw this.#faults[0] ?? error;
    });
    if (!written.ok) throw new TooLargeError();
    return written;
  }
}

function streamOf(pieces: AsyncGenerator<Uint8Array>, onFault: (fault: unknown) => void): ReadableStream<Uint8Array> {
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next().catch((fault: unknown) => {
        onFault(fault);
        throw fault;
      });
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
  // Between Workers only the runtime's own streams of bytes travel.
  return stream.pipeThrough(new IdentityTransformStream());
}

async function withDiscarded(sink: Sink | undefined, refusal: Response): Promise<SplitJson> {
  await sink?.abort();
  return { ok: false, refusal };
}

async function refusalOf(error: unknown, sink: Sink | undefined): Promise<Response> {
  if (error instanceof RestTooLargeError) return refuse('body-too-large', { detail: error.message });
  if (error instanceof JsonFault) return refuse('malformed-body', { detail: error.message });
  if (error instanceof TooLargeError) return refused(tooLarge('The value', MAX_JSON_BODY_BYTES));
  if (error instanceof BodiesBusyError)
    return unavailable('Too many large bodies are on their way. Nothing was accepted.');
  if (sink === undefined) return refuse('malformed-body', { detail: 'The body ended before it was complete.' });
  return unavailable('The body cannot be stored at the moment. Nothing was accepted.');
}

function refused({ code, details }: Refusal): Response {
  return refuse(code, details);
}
