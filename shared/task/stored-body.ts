/**
 * A body that lies in the bucket `BODIES` and not in messages and rows: what travels is this description. Without the
 * bucket bodies are at most as large as the inline limit.
 */
import * as z from 'zod';

/** What comes inside JSON: 25 MB. */
export const MAX_JSON_BODY_BYTES = 25 * 1024 * 1024;

/** The largest body of all: 5 GB. */
export const MAX_STORED_BYTES = 5_000_000_000;

/** At most what one request may upload: below the 100 MB of Cloudflare's free and pro plans (Workers limits, "Request body size"). */
export const MAX_UPLOAD_BYTES = 64 * 1024 * 1024;

export const StoredBodySchema = z.object({
  /** In the bucket: `object-key.ts`. */
  key: z.string(),
  /** The media type; empty when the client said none. */
  type: z.string(),
  bytes: z.number().int(),
  /** Of the bucket: MD5 of the body, or of its parts' (R2, "Multipart upload"). */
  etag: z.string(),
});
export type StoredBody = z.infer<typeof StoredBodySchema>;

/** Whether two bodies hold the same, as far as that can be told without reading them. */
export function isSameBody(one: StoredBody, other: StoredBody): boolean {
  return one.etag === other.etag && one.bytes === other.bytes && one.type === other.type;
}
