/**
 * The share of a shard that one service may hold. A shard's queue runs so many invocations of its consumer at
 * once, and one of them is kept as long as the longest of its calls: a service's calls may keep a share of
 * them, so that there are always some left for the tasks of others. What is counted are the calls that ask for a
 * place, and those of which a consumer tells because they last long. Deterministic, without I/O.
 */
import type { Invocation } from '../../shared/registry/routing.ts';
import type { Service, Share } from '../registry/state.ts';

/** Consumers ask for each call of a service that keeps half of its share; until it keeps less than a quarter. */
const ASKED_FROM = 1 / 2;
const ASKED_ABOVE = 1 / 4;

function shareOf({ shares }: Service, { shard, most }: Invocation): Share {
  const share = shares.get(shard) ?? { most, kept: new Map() };
  share.most = most;
  shares.set(shard, share);
  return share;
}

/** @returns true when consumers may have to learn of it */
export function keepInvocation(service: Service, invocation: Invocation): boolean {
  const { kept, most } = shareOf(service, invocation);
  const before = kept.size;
  kept.set(invocation.id, (kept.get(invocation.id) ?? 0) + 1);
  return before < most * ASKED_FROM && kept.size >= most * ASKED_FROM;
}

/** @returns true when consumers may have to learn of it */
export function leaveInvocation(service: Service, invocation: Invocation): boolean {
  const { kept, most } = shareOf(service, invocation);
  const before = kept.size;
  const left = (kept.get(invocation.id) ?? 1) - 1;
  if (left > 0) kept.set(invocation.id, left);
  else kept.delete(invocation.id);
  return before > most * ASKED_ABOVE && kept.size <= most * ASKED_ABOVE;
}

export function isOverShare(service: Service, invocation: Invocation): boolean {
  const { kept, most } = shareOf(service, invocation);
  return kept.size >= most && !kept.has(invocation.id);
}

/** @param isAsked consumers ask for its calls now */
export function mustAsk({ shares }: Service, isAsked: boolean): boolean {
  const above = isAsked ? ASKED_ABOVE : ASKED_FROM;
  return [...shares.values()].some(({ kept, most }) => kept.size >= Math.max(1, most * above));
}

/**
 * The shard with the most room; undefined where nobody has told of one. Each call may come to keep one more.
 * @param among undefined: any
 */
export function roomiestShard(
  { shares }: Service,
  among: readonly number[] | undefined,
): { readonly shard: number; readonly room: number } | undefined {
  let best: { readonly shard: number; readonly room: number } | undefined;
  for (const [shard, { kept, most }] of shares) {
    if (among?.includes(shard) === false) continue;
    const room = Math.max(0, most - kept.size);
    if (best === undefined || room > best.room) best = { shard, room };
  }
  return best;
}
