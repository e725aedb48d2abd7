/**
 * What the registry keeps of a service while it runs: its calls, how many more may start, who waits
 * where it is, and how long a call takes. Deterministic, without I/O.
 */

import { Limiter } from '../../shared/capacity/limiter.ts';
import { keepNewest } from '../../shared/newest.ts';
import { addStarts, countStarts, forgetStarts, nextStartAt } from '../../shared/pace/start-log.ts';
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import type { Place, Registry, Service, ServiceLimiter } from '../registry/state.ts';

export type Limits = Pick<ServiceDefinition, 'maxConcurrency' | 'requestsPerSecond'>;

const MINUTE_MS = 60_000;

/** So long a call may wait for one of its own batch to end, whose place it then has. */
export const FOLLOW_WITHIN_MS = 5_000;

/** Calls that have a place one after the other: parts of a batch of ten, so that no batch waits for odd ones. */
const CALLS_IN_TURN = [10, 5, 2, 1];

/** So long after a refusal the calls of a fixed address are counted. */
const LIMIT_LIFE_MS = 600_000;

/** Each call that tries it in vain costs a task a deferral (rule R18). */
const SILENT_PAUSE = { firstMs: 1_000, mostMs: 4_000 };

/** Of the tasks that a service refused, so many are kept in mind, and one is to blame itself after so many times. */
const MAX_REFUSED = 200;
const ALONE_AFTER = 2;

/** A call weighs a twentieth. */
const MEAN_WEIGHT = 0.05;

/** Before any call has ended. */
const ASSUMED_CALL_MS = 250;

/** Of the usual time: when a call that has taken that long is expected to end. */
const OVERDUE_SHARE = 0.2;

/** Before any task was released. */
const ASSUMED_COMING_MS = 300;
const MIN_COMING_MS = 50;
const MAX_COMING_MS = 1_500;

/** Who waits in place is here again by then, or has ended. */
const IN_PLACE_SLACK_MS = 500;

/** Made on first use. */
export function serviceOf({ services }: Registry, name: string, now: number): Service {
  const service = services.get(name) ?? newService(now);
  services.set(name, service);
  return service;
}

function newService(now: number): Service {
  return {
    since: now,
    running: new Set(),
    starts: [],
    arrivals: [],
    shares: new Map(),
    inPlace: new Map(),
    meanMs: 0,
    comingMs: ASSUMED_COMING_MS,
    outage: undefined,
    limiter: undefined,
  };
}

/** Calls under way. */
export function inFlightOf({ services }: Registry, name: string): number {
  return services.get(name)?.running.size ?? 0;
}

export function noteArrival(service: Service, now: number): void {
  forgetStarts(service.arrivals, now - MINUTE_MS);
  addStarts(service.arrivals, now, 1);
}

export function noteStart(service: Service, place: Place, limits: Limits): void {
  service.running.add(place);
  if (limits.requestsPerSecond !== undefined) addStarts(service.starts, lastStartOf(place), 1);
}

/** When the last of the calls that have the place started, or is expected to. */
function lastStartOf({ beganAt, left, callMs }: Place): number {
  return beganAt + (left - 1) * callMs;
}

export function noteDuration(service: Service, durationMs: number): void {
  service.meanMs = service.meanMs === 0 ? durationMs : service.meanMs * (1 - MEAN_WEIGHT) + durationMs * MEAN_WEIGHT;
}

/** A released task asks for its place. */
export function noteComing(service: Service, tookMs: number): void {
  const bounded = Math.min(MAX_COMING_MS, Math.max(MIN_COMING_MS, tookMs));
  service.comingMs = service.comingMs * 0.9 + bounded * 0.1;
}

/** @param until when it asks again */
export function waitInPlace({ inPlace }: Service, call: string, until: number): void {
  inPlace.set(call, until + IN_PLACE_SLACK_MS);
}

export function waitingInPlace({ inPlace }: Service, now: number): number {
  for (const [call, forgetAt] of inPlace) if (forgetAt <= now) inPlace.delete(call);
  return inPlace.size;
}

/** How many calls can have a place one after the other before the last of them would wait too long. */
export function callsInTurn({ meanMs, limiter }: Service, limits: Limits): number {
  // A pace must be kept by each call; only calls at a time are kept by whoever waits for one to end.
  if (meanMs === 0 || limiter !== undefined || limits.requestsPerSecond !== undefined) return 1;
  const most = 1 + Math.floor(FOLLOW_WITHIN_MS / meanMs);
  return CALLS_IN_TURN.find((calls) => calls <= most) ?? 1;
}

/** How many more calls the service's own limits let start now. */
export function roomNow(service: Service, limits: Limits, now: number): number {
  if ((service.limiter?.limiter.nextAt(now) ?? now) > now) return 0;
  const { maxConcurrency = Infinity } = limits;
  const rate = rateOf(limits);
  if (rate !== undefined) forgetStarts(service.starts, now - rate.windowMs);
  return Math.max(0, Math.min(maxConcurrency - service.running.size, startsLeft(service, rate, now)));
}

/** How many more will be let start until `until`, as calls under way end and the window moves on. */
export function roomUntil(service: Service, limits: Limits, now: number, until: number): number {
  const { maxConcurrency = Infinity } = limits;
  const learnt = service.limiter?.limiter.room(now, until) ?? Infinity;
  const atOnce = maxConcurrency - service.running.size + endsUntil(service, now, until);
  return Math.max(0, Math.min(atOnce, learnt, startsLeft(service, rateOf(limits), until)));
}

function startsLeft({ starts }: Service, rate: Rate | undefined, at: number): number {
  return rate === undefined ? Infinity : rate.limit - countStarts(starts, at - rate.windowMs);
}

/** Calls under way that are expected to have ended by then; one that takes twice the usual time is not. */
export function endsUntil(service: Service, now: number, until: number): number {
  const callMs = service.meanMs || ASSUMED_CALL_MS;
  return startsOf(service).filter((at) => at + callMs <= until && at + 2 * callMs > now).length;
}

function startsOf({ running }: Service): number[] {
  return Array.from(running, lastStartOf);
}

/** When the service's limits let `count` more calls start; infinite when nobody knows. */
export function roomAt(service: Service, limits: Limits, count: number, now: number): number {
  const callMs = service.meanMs || ASSUMED_CALL_MS;
  const { maxConcurrency = Infinity } = limits;
  const missing = count - (maxConcurrency - service.running.size);
  let at = Math.max(now, service.limiter?.limiter.nextAt(now) ?? now);
  if (missing > 0) {
    const ends = startsOf(service).filter((start) => start + 2 * callMs > now);
    ends.sort((a, b) => a - b);
    // A place is taken again by whoever stands before.
    const places = Math.max(1, ends.length);
    const start = ends[(missing - 1) % places];
    const turns = Math.ceil(missing / places);
    // One that takes longer than usual ends soon, but nobody knows when.
    at = start === undefined ? Infinity : Math.max(at + OVERDUE_SHARE * callMs, start + turns * callMs);
  }
  const rate = rateOf(limits);
  return rate === undefined
    ? at
    : Math.max(at, nextStartAt(service.starts, rate.limit - count + 1, rate.windowMs, now));
}

/** Calls a second that its limits bear; undefined without limits, or before any call has ended. */
export function paceOf(service: Service, limits: Limits): number | undefined {
  const { maxConcurrency = Infinity, requestsPerSecond = Infinity } = limits;
  const byPlaces = service.meanMs === 0 ? Infinity : (maxConcurrency * 1000) / service.meanMs;
  const pace = Math.min(byPlaces, requestsPerSecond, service.limiter?.limiter.perSecond() ?? Infinity);
  return Number.isFinite(pace) ? pace : undefined;
}

export interface RefusedCall {
  readonly task: string;
  /** Where the call was counted. */
  readonly ticket: number | undefined;
  /** The backend said no time. */
  readonly isSilent: boolean;
  /** When it may be called again; undefined: that is to be found out. */
  readonly until: number | undefined;
}

/** A fixed address says that it has had enough. */
export function noteEnough(service: Service, { task, ticket, isSilent, until }: RefusedCall, now: number): void {
  service.limiter ??= { limiter: new Limiter(0, SILENT_PAUSE), at: now, letIn: 0, refused: new Map() };
  service.limiter.at = now;
  const { limiter } = service.limiter;
  const isOdd = isSilent && isRefusedAlone(service.limiter, task);
  if (ticket === undefined) {
    if (!isOdd) limiter.noteUncountedRefusal(until, now);
  } else limiter.end(ticket, isOdd ? { kind: 'unknown' } : { kind: 'limited', until }, now);
}

/** It was refused again and again, and others were let in each time: that says something of the task, and nothing of the service. */
function isRefusedAlone({ refused, letIn }: ServiceLimiter, task: string): boolean {
  const before = refused.get(task);
  const times = before === undefined ? 0 : before.times + Number(letIn > before.letIn);
  refused.delete(task);
  refused.set(task, { times, letIn });
  keepNewest(refused, MAX_REFUSED);
  return times >= ALONE_AFTER;
}

export function noteLetIn(service: Service | undefined, ticket: number, now: number): void {
  if (service?.limiter === undefined) return;
  service.limiter.letIn += 1;
  service.limiter.limiter.end(ticket, { kind: 'let-in' }, now);
}

/** A fixed address let in a call that nobody had counted, before it said that it has had enough. @param at when it started */
export function noteUncounted({ limiter }: Service, at: number): void {
  limiter?.limiter.noteUncountedStart(at);
}

/** One that was last met so long ago is not one any more. */
export function forgetLimit(service: Service, now: number): void {
  if (service.limiter !== undefined && now - service.limiter.at > LIMIT_LIFE_MS) service.limiter = undefined;
}

interface Rate {
  readonly limit: number;
  readonly windowMs: number;
}

/** Whole calls in a window that has room for at least one: half a call a second is one in two. */
function rateOf({ requestsPerSecond }: Limits): Rate | undefined {
  if (requestsPerSecond === undefined) return undefined;
  const limit = Math.max(1, Math.floor(requestsPerSecond));
  return { limit, windowMs: (limit / requestsPerSecond) * 1000 };
}
