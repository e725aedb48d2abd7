/**
 * What a quota allows, and when. Several limits may hold at once (configured, reported by the
 * backend, learnt from being limited); the strictest counts. Pure.
 *
 * Where no limit is known, none is guessed: no key does more calls a minute than one key has been
 * seen to bear, except the scout, which goes a little ahead. So when a limit comes up, one key meets
 * it, by a few calls, and the others stop before it.
 */
import { type ConfiguredLimits, INITIAL_HEADROOM, type Pool, type Quota } from './pool.ts';
import { countStarts, roomAt } from './start-log.ts';

export const MINUTE_MS = 60_000;

/** A start is noted when it leaves here and counted by the backend when it arrives. */
const GUARD_MS = 100;
const GUARD_SHARE = 0.005;

/** Beyond proven calls, a scout goes this much further once that is more than the initial headroom. */
const HEADROOM_SHARE = 0.12;

/** A limit that clears within this, with this little of what was expected used, is about bursts. */
const BURST_CLEARS_MS = 2_500;
const BURST_SHARE = 0.9;
const GAP_GROWTH = 1.25;
/** Halves the gap in about 700 calls. */
const GAP_EASE = 0.999;
const MIN_GAP_MS = 20;

/** After a scout was limited the others stay where they are, until its window has passed. */
const MAX_SCOUT_PAUSE_MS = 2 * MINUTE_MS;

/** A learnt limit is doubted after five minutes without being hit, and then lets one, two, four… more through. */
const LEARNT_HOLDS_MS = 5 * MINUTE_MS;

/** One limit as it stands now. */
export interface Gate {
  /** Calls that may start now. */
  readonly room: number;
  /** When one more may start, if none may now. */
  readonly freeAt: number;
  /** Pause between calls that keeps to the limit for good. */
  readonly spacingMs: number;
}

export function gateOf(pool: Pool, quota: Quota, now: number): Gate {
  const gates = [...windowGates(pool, quota, now), ...reportedGates(quota, now)];
  const gate = gates.reduce((strictest, next) => ({
    room: Math.min(strictest.room, next.room),
    freeAt: Math.max(strictest.freeAt, next.freeAt),
    spacingMs: Math.max(strictest.spacingMs, next.spacingMs),
  }));
  const coolUntil = quota.cooling?.until ?? 0;
  return coolUntil > now ? { ...gate, room: 0, freeAt: Math.max(gate.freeAt, coolUntil) } : gate;
}

const RECENT_HALF_LIFE_MS = 5 * MINUTE_MS;

/** A quota's calls of the last minutes, the older the less. */
export function recentCalls({ recent }: Quota, now: number): number {
  return recent.calls * 2 ** ((recent.at - now) / RECENT_HALF_LIFE_MS);
}

/** How much a quota was used for what it may do, and how much one call more adds: the least used goes first. */
export function loadOf(pool: Pool, quota: Quota, now: number): { readonly load: number; readonly perCall: number } {
  const perCall = 1 / allowedPerMinute(pool, quota, now, 0);
  return { load: recentCalls(quota, now) * perCall, perCall };
}

function allowedPerMinute(pool: Pool, quota: Quota, now: number, headroom: number): number {
  const limits = [pool.configured.requestsPerMinute, learntPerMinute(quota, now)];
  if (quota.requests !== undefined) limits.push((quota.requests.limit * MINUTE_MS) / quota.requests.windowMs);
  if (!hasKnownLimit(pool, quota)) limits.push(pool.proven + (pool.scout === quota.id ? headroom : 0));
  return Math.max(1, Math.min(...limits.filter((limit) => limit !== undefined)));
}

/** True where the proven number of calls, and the scout, are not needed. */
export function hasKnownLimit(pool: Pool, quota: Quota): boolean {
  return pool.configured.requestsPerMinute !== undefined || quota.requests !== undefined;
}

function windowGates(pool: Pool, quota: Quota, now: number): Gate[] {
  const gates: Gate[] = [];
  const { requestsPerMinute } = pool.configured;
  if (requestsPerMinute !== undefined) gates.push(windowGate(quota, requestsPerMinute, now));
  const learnt = learntPerMinute(quota, now);
  if (learnt !== undefined) gates.push(windowGate(quota, learnt, now));
  if (!hasKnownLimit(pool, quota)) gates.push(provenGate(pool, quota, now));
  const tokens = tokenGate(pool.configured, quota, now);
  if (tokens !== undefined) gates.push(tokens);
  if (pool.gapMs > 0) gates.push(paceGate(pool, quota, now));
  return gates.length > 0 ? gates : [{ room: Number.POSITIVE_INFINITY, freeAt: now, spacingMs: 0 }];
}

function windowGate({ starts }: Quota, limit: number, now: number, windowMs = MINUTE_MS): Gate {
  const guarded = windowMs * (1 + GUARD_SHARE) + GUARD_MS;
  return {
    room: Math.max(0, limit - countStarts(starts, now - guarded)),
    freeAt: roomAt(starts, limit, guarded, now),
    spacingMs: windowMs / limit,
  };
}

function provenGate(pool: Pool, quota: Quota, now: number): Gate {
  const isScout = pool.scout === quota.id;
  const gate = windowGate(quota, pool.proven + (isScout ? pool.headroom : 0), now);
  // After a limit was met, the window says when; before, more is known as soon as calls end.
  if (gate.room > 0 || pool.headroom < INITIAL_HEADROOM) return gate;
  const pauseMs = callPauseMs(pool);
  return {
    room: 0,
    freeAt: Math.min(gate.freeAt, now + pauseMs),
    spacingMs: Math.min(gate.spacingMs, pauseMs / pool.headroom),
  };
}

/** While calls must end before there is room, or more is known: about as long as a call takes. */
export function callPauseMs(pool: Pool): number {
  return Math.min(MINUTE_MS, Math.max(1_000, pool.callMs));
}

function learntPerMinute({ learnt }: Quota, now: number): number | undefined {
  if (learnt === undefined) return undefined;
  const doubtedMs = now - learnt.at - LEARNT_HOLDS_MS;
  return doubtedMs < 0 ? learnt.perMinute : learnt.perMinute + 2 ** Math.min(30, Math.floor(doubtedMs / MINUTE_MS));
}

/** With a configured number of tokens a minute, as many calls as fit at their average size. */
function tokenGate({ tokensPerMinute }: ConfiguredLimits, quota: Quota, now: number): Gate | undefined {
  if (tokensPerMinute === undefined || quota.tokensPerCall === 0) return undefined;
  return windowGate(quota, Math.max(1, Math.floor(tokensPerMinute / quota.tokensPerCall)), now);
}

/** Where calls in quick succession were refused, they start one after the other. */
function paceGate({ gapMs }: Pool, { lastStartAt }: Quota, now: number): Gate {
  const freeAt = Math.max(now, lastStartAt + gapMs);
  return { room: freeAt > now ? 0 : 1, freeAt, spacingMs: gapMs };
}

/** What the backend reported last, less what is under way. */
function reportedGates(quota: Quota, now: number): Gate[] {
  const gates: Gate[] = [];
  const { requests, tokens, tokensPerCall } = quota;
  if (requests !== undefined) {
    const left = (requests.resetAt > now ? requests.remaining : requests.limit) - quota.inFlight;
    const spacingMs = requests.windowMs / requests.limit;
    gates.push({ room: Math.max(0, left), freeAt: left > 0 ? now : Math.max(now, requests.resetAt), spacingMs });
  }
  if (tokens !== undefined) {
    const cost = Math.max(1, tokensPerCall);
    const left = (tokens.resetAt > now ? tokens.remaining : tokens.limit) - quota.inFlight * cost;
    const spacingMs = (tokens.windowMs * cost) / tokens.limit;
    // A call larger than the whole allowance still has to be tried.
    const fits = left >= Math.min(cost, tokens.limit);
    const room = fits ? Math.max(1, Math.floor(left / cost)) : 0;
    gates.push({ room, freeAt: fits ? now : Math.max(now, tokens.resetAt), spacingMs });
  }
  return gates;
}

/** The quota that goes ahead: the one that is ahead already, so that the others stay behind it. */
export function chooseScout(pool: Pool, candidates: readonly Quota[], now: number): void {
  if (pool.scoutAfter > now) {
    pool.scout = undefined;
    return;
  }
  const free = candidates.filter((quota) => !hasKnownLimit(pool, quota) && (quota.cooling?.until ?? 0) <= now);
  if (free.some(({ id }) => id === pool.scout)) return;
  const used = (quota: Quota) => countStarts(quota.starts, now - MINUTE_MS);
  pool.scout = free.reduce<Quota | undefined>(
    (first, quota) => (first === undefined || used(quota) > used(first) ? quota : first),
    undefined,
  )?.id;
}

/** Calls that worked raise what is proven; a scout that used its whole headroom may go further. */
export function noteProven(pool: Pool, quota: Quota, now: number): void {
  if (hasKnownLimit(pool, quota)) return;
  const bore = countStarts(quota.starts, now - MINUTE_MS) - quota.inFlight;
  if (bore <= pool.proven) return;
  if (bore >= pool.proven + pool.headroom) {
    pool.headroom = Math.min(pool.headroom * 2, Math.max(INITIAL_HEADROOM, Math.ceil(HEADROOM_SHARE * bore)));
  }
  pool.proven = bore;
}

/**
 * A rate limit came up. One that clears at once and came before its time is about calls in quick
 * succession: they are spaced out. Otherwise the scout's is what the pool bears; another key's is its
 * own, unless it is so far below that it was not this window's calls that used it up.
 */
export function learnLimit(pool: Pool, quota: Quota, resetAt: number, now: number): void {
  const bore = Math.max(1, countStarts(quota.starts, now - MINUTE_MS) - quota.inFlight);
  const expected = allowedPerMinute(pool, quota, now, pool.headroom);
  const isKnown = hasKnownLimit(pool, quota);
  if (resetAt - now <= BURST_CLEARS_MS && bore < BURST_SHARE * (isKnown ? expected : pool.proven)) {
    if (pool.gapSetAt > now - BURST_CLEARS_MS) return;
    const slowest = isKnown ? MINUTE_MS / expected : resetAt - now;
    pool.gapMs = pool.gapMs === 0 ? slowest : Math.min(slowest, pool.gapMs * GAP_GROWTH);
    pool.gapSetAt = now;
    return;
  }
  if (!isKnown && (quota.id === pool.scout || bore > pool.proven)) {
    pool.proven = Math.max(bore, Math.floor(pool.proven / 2));
    pool.headroom = 1;
    pool.scout = undefined;
    pool.scoutAfter = Math.max(pool.scoutAfter, Math.min(resetAt, now + MAX_SCOUT_PAUSE_MS));
    return;
  }
  if (bore * 2 >= expected || (quota.learnt !== undefined && now - quota.learnt.at < LEARNT_HOLDS_MS)) {
    quota.learnt = { perMinute: Math.max(bore, Math.floor(expected / 2)), at: now };
  }
}

/** A call that worked lets the next ones follow a little closer, down to no gap at all. */
export function easeGap(pool: Pool): void {
  if (pool.gapMs === 0) return;
  pool.gapMs *= GAP_EASE;
  if (pool.gapMs < MIN_GAP_MS) pool.gapMs = 0;
}

/** `Retry-After: 0` must not spin: a floor that doubles like the default. */
const COOLDOWN_FLOOR_MS = 250;
const FIRST_COOLDOWN_MS = 2_000;
const MAX_DEFAULT_COOLDOWN_MS = 10 * MINUTE_MS;
const FIRST_QUOTA_COOLDOWN_MS = 60 * MINUTE_MS;
/** Even a quota of a month is looked at once a day. */
const MAX_COOLDOWN_MS = 24 * 60 * MINUTE_MS;

/**
 * Cools a quota until the backend's word, or for a time that doubles while nothing works. Never
 * shortens a cooldown under way.
 * @param startedAt of the call that was limited: calls under way together are one strike
 * @returns until when it cools
 */
export function cool(
  quota: Quota,
  limit: { readonly quota: boolean; readonly resetAt: number | undefined },
  startedAt: number,
  now: number,
): number {
  if (quota.cooling === undefined || startedAt >= quota.cooling.since) quota.strikes += 1;
  const base = limit.quota ? FIRST_QUOTA_COOLDOWN_MS : FIRST_COOLDOWN_MS;
  const cap = limit.quota ? MAX_COOLDOWN_MS : MAX_DEFAULT_COOLDOWN_MS;
  const doubled = 2 ** Math.min(20, quota.strikes - 1);
  const byDefault = now + Math.min(cap, base * doubled);
  const floor = now + Math.min(MINUTE_MS, COOLDOWN_FLOOR_MS * doubled);
  const until = Math.min(now + MAX_COOLDOWN_MS, Math.max(floor, limit.resetAt ?? byDefault));
  if (quota.cooling !== undefined && quota.cooling.until >= until) {
    quota.cooling = { ...quota.cooling, since: now };
  } else {
    quota.cooling = { until, since: now, why: limit.quota ? 'quota-exhausted' : 'rate-limited' };
  }
  return quota.cooling.until;
}
