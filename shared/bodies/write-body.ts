/**
 * Writes a stream of unknown length into the bucket, in parts of the smallest size that R2 takes, so that an isolate
 * holds one part of each body and never the whole. How many bodies an isolate gathers parts of at a time is bounded:
 * a Worker has 128 MB for all its requests. A body that breaks off leaves nothing behind.
 */

import type { StoredBody } from '../task/stored-body.ts';
import { PartBuffer } from './part-buffer.ts';
import { storedBodyOf } from './stored-object.ts';

/** R2's smallest part (R2, "Multipart upload"): all but the last have the same size. */
const PART_BYTES = 5 * 1024 * 1024;

const MAX_AT_ONCE = 6;
const LOOK_MS = 25;
const PATIENCE_MS = 60_000;

/** Of this isolate. A number only: promises shared between requests would break with the request that made them. */
let writing = 0;

/** Too many large bodies are under way in this isolate. */
export class BodiesBusyError extends Error {
  override readonly name = 'BodiesBusyError';
}

export type Written = { readonly ok: true; readonly body: StoredBody } | { readonly ok: false };

/**
 * @returns not ok when the body has more than `maxBytes`: nothing of it is kept
 * @throws what the stream throws, or the bucket
 */
export async function writeBody(
  bucket: R2Bucket,
  key: string,
  pieces: AsyncIterable<Uint8Array>,
  { type, maxBytes }: { readonly type: string; readonly maxBytes: number },
): Promise<Written> {
  await takeTurn();
  const writer = new BodyWriter(bucket, key, type);
  try {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > maxBytes) {
        await writer.abort();
        return { ok: false };
      }
      await writer.write(piece);
    }
    return { ok: true, body: await writer.end() };
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    writing -= 1;
  }
}

async function takeTurn(): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (writing >= MAX_AT_ONCE) {
    if (Date.now() > until) throw new BodiesBusyError('too many large bodies are being written');
    await scheduler.wait(LOOK_MS);
  }
  writing += 1;
}

class BodyWriter {
  readonly #bucket: R2Bucket;
  readonly #key: string;
  readonly #options: R2MultipartOptions;
  readonly #type: string;
  readonly #buffer = new PartBuffer(PART_BYTES);
  #upload: R2MultipartUpload | undefined;
  readonly #parts: R2UploadedPart[] = [];

  constructor(bucket: R2Bucket, key: string, type: string) {
    this.#bucket = bucket;
    this.#key = key;
    this.#type = type;
    this.#options = type === '' ? {} : { httpMetadata: { contentType: type } };
  }

  async write(piece: Uint8Array): Promise<void> {
    let rest = piece;
    while (rest.length > 0) {
      // Only with more to come it is known not to be the last.
      if (this.#buffer.isFull) await this.#sendPart();
      rest = this.#buffer.fill(rest);
    }
  }

  async end(): Promise<StoredBody> {
    if (this.#upload === undefined) {
      const object = await this.#bucket.put(this.#key, this.#buffer.view(), this.#options);
      return storedBodyOf(object, this.#type);
    }
    await this.#sendPart();
    return storedBodyOf(await this.#upload.complete(this.#parts), this.#type);
  }

  /** Never rejects: R2 drops what is left of an upload after seven days. */
  async abort(): Promise<void> {
    await this.#upload?.abort().catch(() => {});
  }

  async #sendPart(): Promise<void> {
    this.#upload ??= await this.#bucket.createMultipartUpload(this.#key, this.#options);
    this.#parts.push(await this.#upload.uploadPart(this.#parts.length + 1, this.#buffer.view()));
    this.#buffer.clear();
  }
}
