/**
 * One object for equal policies that come one after the other, as those of a batch's tasks mostly do: what Workers say to each
 * other holds an object once, however often it is part of it (structured clone).
 */
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from './backoff.ts';

let last = DEFAULT_RETRY_POLICY;

export function sharedPolicy(policy: RetryPolicy): RetryPolicy {
  const { maxAttempts, baseSeconds, capSeconds } = policy;
  const isSame = maxAttempts === last.maxAttempts && baseSeconds === last.baseSeconds && capSeconds === last.capSeconds;
  if (!isSame) last = policy;
  return last;
}
