/**
 * A key for one synchronous call: asked for by itself, because there is no batch to share the question
 * with, and given back with what the call said of it.
 */
import type { Declined } from '../../shared/sync/call.ts';
import type { KeyEnv } from '../capacity/capacity-env.ts';
import { askForKeys, releaseKeys } from '../capacity/key-source.ts';
import type { KeyFeedback, LimitFacts } from '../keys/pool/feedback.ts';

/** The pool does not answer, or does not know when: the client may try again after this. */
const UNKNOWN_MS = 5_000;

export interface AcquiredKey {
  readonly pool: string;
  readonly number: number;
  /** Safe to call once; never rejects: the pool takes a call that it hears nothing of as ended in the end. */
  release(feedback: KeyFeedback, facts?: LimitFacts): Promise<void>;
}

export type KeyTaken =
  | { readonly kind: 'acquired'; readonly key: AcquiredKey }
  | { readonly kind: 'waiting'; readonly declined: Declined & { readonly until: number } }
  /** Two keys that work for others were refused for this call: it is the call. */
  | { readonly kind: 'refused' };

export interface SyncKeyRequest {
  readonly id: string;
  readonly pool: string;
  readonly bucket: string | undefined;
  /** When the call has ended for sure, Unix ms. */
  readonly expiresAt: number;
}

export async function takeKey(env: KeyEnv, { id, pool, bucket, expiresAt }: SyncKeyRequest): Promise<KeyTaken> {
  const waiting = (until: number, why: 'no-key' | 'key-refused' = 'no-key'): KeyTaken => ({
    kind: 'waiting',
    declined: { why, until },
  });
  if (!env.keys.ring.pools.has(pool)) return waiting(Date.now() + UNKNOWN_MS);
  const leaseId = crypto.randomUUID();
  const call = { task: id, bucket, isInTurn: true, neverParks: true };
  const [answer] = (await askForKeys(env, { pool, leaseId, expiresAt, calls: [call] })) ?? [];
  switch (answer?.kind) {
    case 'granted': {
      const release = (feedback: KeyFeedback, facts?: LimitFacts) =>
        releaseKeys(env, pool, leaseId, [{ task: id, feedback, ...(facts && { facts }) }]);
      return { kind: 'acquired', key: { pool, number: answer.key, release } };
    }
    case 'fail':
      return { kind: 'refused' };
    case 'start-at':
      return waiting(answer.at, answer.reason === 'key-refused' ? 'key-refused' : 'no-key');
    case 'park':
      return waiting(
        answer.until ?? Date.now() + UNKNOWN_MS,
        answer.reason === 'key-refused' ? 'key-refused' : 'no-key',
      );
    case undefined:
      return waiting(Date.now() + UNKNOWN_MS);
  }
}
