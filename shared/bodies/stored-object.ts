/** What the bucket says of an object, as the description that travels. */
import type { StoredBody } from '../task/stored-body.ts';

/** @param type the media type, where it is known better than the bucket knows it */
export function storedBodyOf(
  { key, size, etag, httpMetadata }: R2Object,
  type = httpMetadata?.contentType,
): StoredBody {
  return { key, type: type ?? 'application/octet-stream', bytes: size, etag };
}
