/**
 * Spreads a batch's calls: over the network six at a time run here, the others go out through this
 * Worker's own service binding, in parts (`spread.ts`); calls to bound Workers hold no connection and
 * run here. Where it is not known whether services are quick, the first six calls show it while the
 * others wait a moment. What a part has no time for goes out six by six. A part that breaks leaves its
 * tasks unsettled, and their messages come again after the lease.
 */
import { logError } from '../../shared/log.ts';
import type { ConsumerEnv } from '../env.ts';
import type { Call, EndedCall } from './call.ts';
import { runSlice, type SliceHost } from './slice.ts';
import { CONNECTIONS, QUICK_MS, QUICK_TURNS, spread } from './spread.ts';

export async function fanOut(
  env: ConsumerEnv,
  calls: readonly Call[],
  onEnded: (ended: EndedCall[]) => void,
  cancelledAmong: (ids: string[]) => Promise<string[]>,
): Promise<void> {
  const bound = calls.filter((call) => env.services[call.service]?.binding !== undefined);
  const fetched = calls.filter((call) => env.services[call.service]?.binding === undefined);
  const services = new Set(fetched.map(({ service }) => service));

  const runs: Promise<void>[] = [];
  const follow = (run: Promise<EndedCall[]>): Promise<void> =>
    run.then(onEnded).catch((error) => logError('slice.failed', { shard: env.shard }, error));
  const host: SliceHost = {
    ended: async (ended) => onEnded(ended),
    // A part hands over before it ends, so what comes of it is among `runs` before that is waited for.
    unstarted: async (ids) => {
      env.paces.note(services, false, Date.now());
      const left = fetched.filter(({ id }) => ids.includes(id));
      for (const six of spread(left, 1)) runs.push(runElsewhere(six));
    },
    cancelledAmong,
  };
  const runHere = (part: readonly Call[]) => follow(runSlice(env, part, host, CONNECTIONS));
  const runElsewhere = (part: readonly Call[]) => follow(env.slice.run(part, host));

  if (bound.length > 0) runs.push(follow(runSlice(env, bound, host, bound.length)));
  let areConnectionsFree = true;
  let rest = fetched;
  if (env.paces.areQuick(services, Date.now()) === undefined) {
    const tried = runHere(fetched.slice(0, CONNECTIONS));
    runs.push(tried);
    areConnectionsFree = await isOverWithin(QUICK_MS, tried);
    env.paces.note(services, areConnectionsFree, Date.now());
    rest = fetched.slice(CONNECTIONS);
  }
  const [first, ...others] = spread(rest, env.paces.areQuick(services, Date.now()) === true ? QUICK_TURNS : 1);
  for (const part of others) runs.push(runElsewhere(part));
  if (first !== undefined) runs.push(areConnectionsFree ? runHere(first) : runElsewhere(first));
  for (const run of runs) await run;
}

async function isOverWithin(ms: number, run: Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), ms);
  const isOver = await Promise.race([run.then(() => true), late.promise]);
  clearTimeout(timer);
  return isOver;
}
