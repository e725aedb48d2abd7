/**
 * What a quota allows, and when. Several limits may hold at once (configured, reported by the
 * backend, learnt from being limited); the strictest counts. Pure.
 *
 * Where no limit is known, none is guessed: no key does more calls a minute than one key has been
 * seen to bear, except the scout, which goes a little ahead. So when a limit comes up, one key meets
 * it, by a few calls, and the others stop before it.
 */
import type { ConfiguredLimits, Pool, Quota, ReportedAllowance } from './pool.ts';
import { countStarts, countUntil, forgetStarts, nextStartAt } from './start-log.ts';

export const MINUTE_MS = 60_000;

/** A start is noted when it leaves here and counted by the backend when it arrives. */
const GUARD_MS = 100;
const GUARD_SHARE = 0.005;

/** Beyond proven calls, a scout goes this much further once that is more than the initial headroom. */
const HEADROOM_SHARE = 0.15;
const MIN_MAX_HEADROOM = 6;

/** A refusal comes at once: a call that is under way for so long was let in. */
const LET_IN_MS = 3_000;

/** A limit that clears within this, with this little of what was expected used, is about bursts. */
const BURST_CLEARS_MS = 2_500;
const BURST_SHARE = 0.9;
/** Halves the gap in about 700 calls. */
const GAP_EASE = 0.999;
const MIN_GAP_MS = 20;

const MAX_SCOUT_PAUSE_MS = 60 * MINUTE_MS;

/** A learnt limit is doubted after five minutes without being hit, and then lets one, two, four… more through. */
const LEARNT_HOLDS_MS = 5 * MINUTE_MS;

/** One limit as it stands now. */
export interface Gate {
  /** Calls that may start now beside those that are promised. */
  readonly room: number;
  /** Calls that may start now if they were promised. */
  readonly kept: number;
  /** When one more may be promised. */
  readonly nextAt: number;
  /** The same once the room is used up. */
  readonly thenAt: number;
  /** Pause between calls that keeps to the limit for good. */
  readonly spacingMs: number;
}

export function gateOf(pool: Pool, quota: Quota, now: number): Gate {
  const gates = [...windowGates(pool, quota, now), ...reportedGates(quota, now)];
  const gate = gates.reduce((strictest, next) => ({
    room: Math.min(strictest.room, next.room),
    kept: Math.min(strictest.kept, next.kept),
    nextAt: Math.max(strictest.nextAt, next.nextAt),
    thenAt: Math.max(strictest.thenAt, next.thenAt),
    spacingMs: Math.max(strictest.spacingMs, next.spacingMs),
  }));
  const coolUntil = quota.cooling?.until ?? 0;
  if (coolUntil <= now) return gate;
  const nextAt = Math.max(gate.nextAt, coolUntil);
  return { ...gate, room: 0, kept: 0, nextAt, thenAt: nextAt };
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
function hasKnownLimit(pool: Pool, quota: Quota): boolean {
  return pool.configured.requestsPerMinute !== undefined || quota.requests !== undefined;
}

function windowGates(pool: Pool, quota: Quota, now: number): Gate[] {
  const { requestsPerMinute } = pool.configured;
  const limits = [requestsPerMinute, learntPerMinute(quota, now), tokenLimit(pool.configured, quota)];
  const gates = limits.flatMap((limit) => (limit === undefined ? [] : [windowGate(quota, limit, now)]));
  // Where bursts are what is limited, the pause between calls says how many a minute there can be.
  if (pool.gapMs > 0) gates.push(paceGate(pool, quota, now));
  else if (!hasKnownLimit(pool, quota)) gates.push(provenGate(pool, quota, now));
  return gates.length > 0 ? gates : [{ room: UNLIMITED, kept: UNLIMITED, nextAt: now, thenAt: now, spacingMs: 0 }];
}

const UNLIMITED = Number.POSITIVE_INFINITY;

function windowGate({ starts, promised }: Quota, limit: number, now: number): Gate {
  const windowMs = MINUTE_MS * (1 + GUARD_SHARE) + GUARD_MS;
  const since = now - windowMs;
  const started = countStarts(starts, since);
  const nextAt = nextStartAt(starts, promised, limit, windowMs, now);
  const oldest = starts.find(({ at }) => at > since)?.at ?? now;
  return {
    room: Math.max(0, limit - started - countStarts(promised, since)),
    kept: Math.max(0, limit - started),
    nextAt,
    thenAt: Math.max(nextAt, oldest + windowMs),
    spacingMs: MINUTE_MS / limit,
  };
}

function provenGate(pool: Pool, quota: Quota, now: number): Gate {
  const isScout = pool.scout === quota.id;
  const limit = pool.proven + (isScout ? pool.headroom : 0);
  const gate = windowGate(quota, limit, now);
  if (!isExploring(pool, quota, now)) return gate;
  // Who waits is only told when to look again: room is for whoever comes.
  const pauseMs = explorePauseMs(pool);
  return {
    ...gate,
    room: gate.kept,
    nextAt: Math.min(gate.nextAt, now + pauseMs),
    thenAt: Math.min(gate.thenAt, now + pauseMs),
    spacingMs: Math.min(gate.spacingMs, pauseMs / pool.headroom),
  };
}

/** After a limit was met, the window says when there is room; before, more is known as soon as calls end. */
function isExploring(pool: Pool, quota: Quota, now: number): boolean {
  const isCooling = (quota.cooling?.until ?? 0) > now;
  const isLimited = pool.limitedAt > now - LEARNT_HOLDS_MS;
  return !isCooling && !hasKnownLimit(pool, quota) && pool.gapMs === 0 && !isLimited;
}

/** True when nothing but what is not known yet keeps a call from starting. */
export function isLoose(pool: Pool, quota: Quota, gate: Gate, now: number): boolean {
  return isExploring(pool, quota, now) && gate.nextAt <= now + explorePauseMs(pool);
}

/** While calls must end before there is room, or more is known: about as long as a call takes. */
export function callPauseMs(pool: Pool): number {
  return Math.min(MINUTE_MS, Math.max(1_000, pool.callMs));
}

/** More is known when calls have ended, or have gone on for a while. */
export function explorePauseMs(pool: Pool): number {
  return Math.min(LET_IN_MS, callPauseMs(pool));
}

function learntPerMinute({ learnt }: Quota, now: number): number | undefined {
  if (learnt === undefined) return undefined;
  const doubtedMs = now - learnt.at - LEARNT_HOLDS_MS;
  return doubtedMs < 0 ? learnt.perMinute : learnt.perMinute + 2 ** Math.min(30, Math.floor(doubtedMs / MINUTE_MS));
}

/** With a configured number of tokens a minute, as many calls as fit at their average size. */
function tokenLimit({ tokensPerMinute }: ConfiguredLimits, { tokensPerCall }: Quota): number | undefined {
  if (tokensPerMinute === undefined || tokensPerCall === 0) return undefined;
  return Math.max(1, Math.floor(tokensPerMinute / tokensPerCall));
}

/** Where calls in quick succession were refused, they start one after the other. */
function paceGate({ gapMs }: Pool, { lastStartAt, promised }: Quota, now: number): Gate {
  const nextAt = Math.max(now, lastStartAt + gapMs);
  const kept = nextAt > now ? 0 : 1;
  return { room: promised.length > 0 ? 0 : kept, kept, nextAt, thenAt: nextAt + gapMs, spacingMs: gapMs };
}

/** What the backend reported last, less what is under way and promised. */
function reportedGates(quota: Quota, now: number): Gate[] {
  const gates: Gate[] = [];
  const { requests, tokens, tokensPerCall } = quota;
  if (requests !== undefined) gates.push(reportedGate(quota, requests, 1, now));
  // A call larger than the whole allowance still has to be tried.
  if (tokens !== undefined) {
    gates.push(reportedGate(quota, tokens, Math.min(Math.max(1, tokensPerCall), tokens.limit), now));
  }
  return gates;
}

function reportedGate(quota: Quota, allowance: ReportedAllowance, cost: number, now: number): Gate {
  const { limit, remaining, resetAt, windowMs } = allowance;
  const kept = Math.max(0, Math.floor(((resetAt > now ? remaining : limit) - quota.inFlight * cost) / cost));
  const room = Math.max(0, kept - countUntil(quota.promised, Math.max(now, resetAt)));
  const thenAt = Math.max(now, resetAt);
  return { room, kept, nextAt: room > 0 ? now : thenAt, thenAt, spacingMs: (windowMs * cost) / limit };
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

/** Calls of the last minute that were let in. */
function borne({ starts, inFlight }: Quota, now: number): number {
  const started = countStarts(starts, now - MINUTE_MS);
  return started - Math.min(inFlight, countStarts(starts, now - LET_IN_MS));
}

/** Calls that were let in raise what is proven; a scout that used its whole headroom may go further. */
export function noteProven(pool: Pool, quota: Quota, now: number): void {
  if (hasKnownLimit(pool, quota)) return;
  const bore = borne(quota, now);
  if (bore <= pool.proven) return;
  pool.stalls = 0;
  if (bore >= pool.proven + pool.headroom) {
    pool.headroom = Math.min(pool.headroom * 2, Math.max(MIN_MAX_HEADROOM, Math.ceil(HEADROOM_SHARE * bore)));
  }
  pool.proven = bore;
}

/**
 * A rate limit came up. One that clears at once and came before its time is about calls in quick
 * succession: they are spaced out. Otherwise the scout's is what the pool bears; another key's is its
 * own, unless it is so far below that it was not this window's calls that used it up.
 */
export function learnLimit(pool: Pool, quota: Quota, resetAt: number, now: number): void {
  // A refusal comes sooner than a result: what is still under way was let in.
  const bore = Math.max(1, countStarts(quota.starts, now - MINUTE_MS));
  const expected = allowedPerMinute(pool, quota, now, pool.headroom);
  const isKnown = hasKnownLimit(pool, quota);
  const clearsInMs = resetAt - now;
  if (clearsInMs <= BURST_CLEARS_MS && bore < BURST_SHARE * (isKnown ? expected : pool.proven)) {
    if (pool.gapSetAt > now - BURST_CLEARS_MS) return;
    pool.gapMs = widerGapMs(pool.gapMs, quota, isKnown ? MINUTE_MS / expected : clearsInMs, now);
    pool.gapSetAt = now;
    return;
  }
  if (!isKnown && (quota.id === pool.scout || bore > pool.proven)) {
    // The first time it tries again at once, then less and less often: limits rarely change.
    const pauseMs = pool.stalls === 0 ? 0 : Math.min(MAX_SCOUT_PAUSE_MS, MINUTE_MS * 2 ** (pool.stalls - 1));
    const clearAt = Math.min(resetAt, now + 2 * MINUTE_MS);
    pool.stalls += 1;
    meetLimit(pool, Math.max(bore, Math.floor(pool.proven / 2)), clearAt + pauseMs, now);
    pool.limitedBy = quota.id;
    return;
  }
  if (bore * 2 >= expected || (quota.learnt !== undefined && now - quota.learnt.at < LEARNT_HOLDS_MS)) {
    quota.learnt = { perMinute: Math.max(bore, Math.floor(expected / 2)), at: now };
  }
}

/** One more of the calls that were under way when the limit came up was refused after all. */
export function correctLimit(pool: Pool, quota: Quota): void {
  if (pool.limitedBy === quota.id) pool.proven = Math.max(1, pool.proven - 1);
}

/** At half the pace that was refused, at first; never slower than `slowestMs`. */
function widerGapMs(gapMs: number, { starts }: Quota, slowestMs: number, now: number): number {
  if (gapMs > 0) return Math.min(slowestMs, gapMs * 2);
  const burst = countStarts(starts, now - slowestMs);
  return Math.min(slowestMs, (2 * slowestMs) / Math.max(1, burst));
}

function meetLimit(pool: Pool, perMinute: number, scoutAfter: number, now: number): void {
  pool.proven = perMinute;
  pool.headroom = 1;
  pool.limitedAt = now;
  pool.scout = undefined;
  pool.scoutAfter = Math.max(pool.scoutAfter, scoutAfter);
}

/** What the pool bore when it met its limit of late; null: it has met none. */
export function metLimit(pool: Pool, now: number): number | null {
  return pool.limitedAt > now - LEARNT_HOLDS_MS ? pool.proven : null;
}

/** Another shard has met the limit of keys like these: this one need not run into it too. */
export function takeWarning(pool: Pool, perMinute: number, now: number): void {
  if (metLimit(pool, now) !== null || pool.proven > perMinute) return;
  meetLimit(pool, perMinute, now + MINUTE_MS, now);
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
  // What was promised before that cannot be kept; those tasks are placed again when they come.
  forgetStarts(quota.promised, quota.cooling.until);
  return quota.cooling.until;
}
