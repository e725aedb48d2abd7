/** The real bucket behind a gate; what lies in it is as old as the world's time says. */
import type { Gate } from './database.ts';

/** What was written, and when, Unix ms. */
export type Uploads = Map<string, number>;

export function gatedBucket(bucket: R2Bucket, uploads: Uploads, gate: Gate): R2Bucket {
  const gated = {
    put: (key: string, value: Uint8Array, options?: R2PutOptions) => {
      const bytes = value.slice();
      return gate('put', () => {
        uploads.set(key, Date.now());
        return bucket.put(key, bytes, options);
      });
    },
    get: (key: string) => gate('get', () => bucket.get(key)),
    head: (key: string) => gate('head', () => bucket.head(key)),
    delete: (keys: string[]) => gate('delete', () => bucket.delete(keys)),
    list: (options: R2ListOptions) =>
      gate('list', async () => {
        const { objects, truncated } = await bucket.list(options);
        const aged = objects.map(({ key, customMetadata }) => ({
          key,
          customMetadata,
          uploaded: new Date(uploads.get(key) ?? 0),
        }));
        return { objects: aged, truncated };
      }),
  };
  return gated as unknown as R2Bucket;
}

export async function emptyBucket(bucket: R2Bucket, uploads: Uploads): Promise<void> {
  if (uploads.size > 0) await bucket.delete([...uploads.keys()]);
  uploads.clear();
}
