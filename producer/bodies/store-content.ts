/** Puts content that is in memory into the bucket. */

import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import { bytesFromContent, type Content } from '../../shared/task/content.ts';
import type { StoredBody } from '../../shared/task/stored-body.ts';

export async function storeContent(bucket: R2Bucket, key: string, content: Content): Promise<StoredBody> {
  const { type } = content;
  const object = await bucket.put(key, bytesFromContent(content), { httpMetadata: { contentType: type } });
  return storedBodyOf(object, type);
}
