/**
 * A key for one synchronous call: asked for by itself, because there is no batch to share the question
 * with, and released with what the call said of it.
 */
import type { KeyEnv } from '../capacity/capacity-env.ts';
import { askForKeys, releaseKeys } from '../capacity/key-source.ts';
import type { KeyFeedback, LimitFacts } from '../keys/pool/feedback.ts';
import { type Taken, waitFor } from './taken.ts';

/** A client waits. What a pool asks the ledger takes up to three seconds: the next call finds it answered. */
const PATIENCE_MS = 2_000;

export interface AcquiredKey {
  readonly pool: string;
  readonly number: number;
  /** Safe to call once; never rejects: the pool takes a call that it hears nothing of as ended in the end. */
  release(feedback: KeyFeedback, facts?: LimitFacts): Promise<void>;
}

/** @param expiresAt when the call has ended for sure, Unix ms */
export async function takeKey(
  env: KeyEnv,
  pool: string,
  { id, bucket }: { readonly id: string; readonly bucket: string | undefined },
  expiresAt: number,
): Promise<Taken<AcquiredKey>> {
  if (!env.keys.ring.pools.has(pool)) return waitFor(undefined, 'no-key');
  const leaseId = crypto.randomUUID();
  const call = { task: id, bucket, isInTurn: true, neverParks: true };
  const answers = await askForKeys(env, pool, { leaseId, expiresAt, calls: [call] }, PATIENCE_MS);
  if (answers === undefined) return waitFor(undefined, 'no-key', undefined, 'its key pool does not answer');
  const [answer] = answers;
  if (answer?.kind === 'granted') {
    const release = (feedback: KeyFeedback, facts?: LimitFacts) =>
      releaseKeys(env, pool, leaseId, [{ task: id, feedback, ...(facts && { facts }) }]);
    return { kind: 'taken', value: { pool, number: answer.key, release } };
  }
  // Two keys that work for others were refused for this call: it is the call.
  if (answer?.kind === 'fail') return { kind: 'declined', declined: { why: 'key-refused' } };
  return waitFor(answer?.reason, 'no-key', answer?.kind === 'start-at' ? answer.at : answer?.until);
}
