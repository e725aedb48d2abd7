/**
 * Spreads a batch's calls: up to six over the network run here, more go out in slices of six through
 * this Worker's own service binding; calls to bound Workers hold no connection and run here. A slice
 * that breaks leaves its tasks unsettled, and their messages come again after the lease.
 */
import { logError } from '../shared/log.ts';
import type { Call, EndedCall } from './call.ts';
import type { ConsumerEnv } from './env.ts';
import { sliceCount } from './invocations.ts';
import { runSlice, SLICE_CALLS } from './slice.ts';

export async function fanOut(
  env: ConsumerEnv,
  calls: readonly Call[],
  onEnded: (ended: EndedCall[]) => void,
  cancelledAmong: (ids: string[]) => Promise<string[]>,
): Promise<void> {
  const report = async (ended: EndedCall[]) => onEnded(ended);
  const bound = calls.filter((call) => env.services[call.service]?.binding !== undefined);
  const fetched = calls.filter((call) => env.services[call.service]?.binding === undefined);
  const sliced = sliceCount(fetched.length) > 0;
  const here = sliced ? bound : [...bound, ...fetched];

  const runs = [runSlice(env, here, report, cancelledAmong)];
  for (let at = 0; sliced && at < fetched.length; at += SLICE_CALLS) {
    runs.push(env.slice.run(fetched.slice(at, at + SLICE_CALLS), report, cancelledAmong));
  }
  await Promise.all(
    runs.map(async (run) => {
      try {
        onEnded(await run);
      } catch (error) {
        logError('slice.failed', { shard: env.shard }, error);
      }
    }),
  );
}
