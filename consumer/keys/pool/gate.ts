/**
 * What a quota allows, and when. Several limits may hold at once (configured, reported by the
 * backend, learnt from being limited); the strictest counts. Pure. How limits are learnt is in
 * `learning.ts`.
 */

import { countStarts, countUntil, nextStartAt } from '../../../shared/pace/start-log.ts';
import type { ConfiguredLimits, Pool, Quota, ReportedAllowance } from './pool.ts';

export const MINUTE_MS = 60_000;

/** A start is noted when it leaves here and counted by the backend when it arrives. */
const GUARD_MS = 100;
const GUARD_SHARE = 0.005;

/** A refusal comes at once: a call that is under way for so long was let in. */
export const LET_IN_MS = 3_000;

/** A learnt limit is doubted after five minutes without being hit, and then lets one, two, four… more through. */
export const LEARNT_HOLDS_MS = 5 * MINUTE_MS;

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

/**
 * The gate after one more call has started now, where nothing is promised and there is room left: the
 * limits need not be counted again for each call of a batch. Undefined where they must be.
 */
export function afterOneStart({ promised }: Quota, gate: Gate): Gate | undefined {
  return promised.length > 0 || gate.room < 2 ? undefined : { ...gate, room: gate.room - 1, kept: gate.kept - 1 };
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

export function allowedPerMinute(pool: Pool, quota: Quota, now: number, headroom: number): number {
  const limits = [pool.configured.requestsPerMinute, learntPerMinute(quota, now)];
  if (quota.requests !== undefined) limits.push((quota.requests.limit * MINUTE_MS) / quota.requests.windowMs);
  if (!hasKnownLimit(pool, quota)) {
    limits.push(((pool.proven + (pool.scout === quota.id ? headroom : 0)) * MINUTE_MS) / pool.windowMs);
  }
  return Math.max(1, Math.min(...limits.filter((limit) => limit !== undefined)));
}

/** True where the proven number of calls, and the scout, are not needed. */
export function hasKnownLimit(pool: Pool, quota: Quota): boolean {
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

function windowGate({ starts, promised }: Quota, limit: number, now: number, statedMs = MINUTE_MS): Gate {
  const windowMs = statedMs * (1 + GUARD_SHARE) + GUARD_MS;
  const since = now - windowMs;
  const started = countStarts(starts, since);
  const room = Math.max(0, limit - started - countStarts(promised, since));
  // With room now there is no need to look for the start that must leave the window first.
  const nextAt = room >= 1 ? now : nextStartAt(starts, promised, limit, windowMs, now);
  const oldest = starts.find(({ at }) => at > since)?.at ?? now;
  return {
    room,
    kept: Math.max(0, limit - started),
    nextAt,
    thenAt: Math.max(nextAt, oldest + windowMs),
    spacingMs: statedMs / limit,
  };
}

function provenGate(pool: Pool, quota: Quota, now: number): Gate {
  const trial = pool.trial?.quotaId === quota.id ? pool.trial.calls : 0;
  const ahead = Math.max(trial, pool.scout === quota.id ? pool.headroom : 0);
  const gate = windowGate(quota, pool.proven + ahead, now, pool.windowMs);
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
  const isLimited = pool.limitedAt > now - LEARNT_HOLDS_MS && pool.trial === undefined;
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
