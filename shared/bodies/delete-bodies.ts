/**
 * Deletes bodies from the bucket that nothing leads to any more. Never fails: what stays is found as an orphan. Deleting
 * costs nothing (R2 pricing, "Free operations").
 */
import { logError } from '../log.ts';
import { ownerOf, takenKey } from './object-key.ts';

/** R2 takes as many names at once (R2, Workers API reference). */
const MAX_KEYS = 1_000;

export async function deleteBodies(bucket: R2Bucket | undefined, keys: readonly string[]): Promise<void> {
  const all = keys.flatMap((key) => {
    const owner = ownerOf(key);
    // With an upload goes what says which task took it.
    return owner?.kind === 'upload' ? [key, takenKey(owner.upload)] : [key];
  });
  try {
    for (let at = 0; at < all.length; at += MAX_KEYS) await bucket?.delete(all.slice(at, at + MAX_KEYS));
  } catch (error) {
    logError('bodies.delete.failed', { bodies: all.length }, error);
  }
}
