/**
 * The lines in which tasks wait for a service (rule R20), and how they move: when places will be free,
 * as many of the oldest are released as can start by the time they are here. Tasks that ask something of
 * their server stand in a line of their own, so that those whose server is full hold up nobody else.
 *
 * Guarantee: a line is given up only when nobody stands in it. What is released finds a place, or waits
 * a moment where it is; when it must park again instead, releases become slower until that ends.
 * Deterministic, without I/O.
 */
import { bucketOf, serviceLine } from '../../shared/capacity/line.ts';
import { isFlowName } from '../../shared/flow/flow.ts';
import { shardsForPool } from '../../shared/key/shards.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../shared/ledger/line.ts';
import { meetsRequirements } from '../../shared/registry/routing.ts';
import { isBack } from '../registry/servers/liveness.ts';
import { offersOf } from '../registry/servers/server.ts';
import type { Line, LineNeeds, Offer, Registry, Service } from '../registry/state.ts';
import { definitionOf, hasFixedTarget, isPaused } from '../services/definitions.ts';
import { capacityOf, limitsInForce, within } from './limits.ts';
import { mayBeTried } from './outage.ts';
import { freePlaces } from './places.ts';
import {
  callsInTurn,
  endsUntil,
  type Limits,
  noteComing,
  paceOf,
  roomAt,
  roomUntil,
  serviceOf,
  waitingInPlace,
} from './service.ts';
import { roomiestShard } from './shares.ts';

/** Tasks are here so much before their places, and wait for them where they are. */
const LEAD_MS = 200;

/** Without a limit so many a second. */
const MAX_RELEASED = 500;

const PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;

/** A released task that has not asked by then has ended, or waits elsewhere. */
const COMING_MS = 5_000;

/** So long after it was told a task is parked in its row for sure. */
const SETTLED_AFTER_MS = 15_000;

/** Room is looked for again after this, should no event have told of it. */
const LOOK_MS = 1_000;
/** As soon as that where there should be some. */
const MISSING_LOOK_MS = 250;

function lineName(service: string, needs: LineNeeds | undefined): string {
  if (isFlowName(service)) return service;
  if (needs === undefined) return serviceLine(service);
  const { requirements: { tier, capabilities = {} } = {}, home } = needs;
  const parts = Object.entries(capabilities).sort(([a], [b]) => (a < b ? -1 : 1));
  return serviceLine(service, bucketOf(JSON.stringify([home ?? null, tier ?? null, parts])));
}

export function lineOf(registry: Registry, service: string, needs: LineNeeds | undefined): Line | undefined {
  return registry.lines.get(lineName(service, needs));
}

export function linesOf(registry: Registry, service: string): Line[] {
  return [...(registry.linesOf.get(service)?.values() ?? [])];
}

function addLine({ lines, linesOf }: Registry, line: Line): Line {
  const ofService = linesOf.get(line.service) ?? new Map<string, Line>();
  linesOf.set(line.service, ofService.set(line.name, line));
  lines.set(line.name, line);
  return line;
}

export function dropLine({ lines, linesOf }: Registry, { name, service }: Line): void {
  lines.delete(name);
  const ofService = linesOf.get(service);
  ofService?.delete(name);
  if (ofService?.size === 0) linesOf.delete(service);
}

/** A task is told to park. @param wasReleased it stood in the line before */
export function notePark(
  registry: Registry,
  service: string,
  needs: LineNeeds | undefined,
  wasReleased: boolean,
  now: number,
): Line {
  const name = lineName(service, needs);
  const known = registry.lines.get(name);
  const line =
    known === undefined || known.needs === 'unknown' ? addLine(registry, newLine(name, service, needs)) : known;
  line.stands = true;
  line.parkedAt = now;
  if (wasReleased) line.again += 1;
  return line;
}

/** The ledger says that somebody stands there, of before a restart. @param name a line's */
export function noteStatus(registry: Registry, name: string, service: string): void {
  if (registry.lines.has(name) || definitionOf(registry, service) === undefined) return;
  addLine(registry, newLine(name, service, name === lineName(service, undefined) ? undefined : 'unknown'));
}

function newLine(name: string, service: string, needs: Line['needs']): Line {
  return {
    name,
    service,
    needs,
    stands: true,
    parkedAt: 0,
    coming: [],
    asked: 0,
    again: 0,
    notBefore: 0,
    pauseMs: PAUSE_MS,
    isReleasing: false,
    sentTo: new Map(),
  };
}

/** The oldest of those that were released for this service asks. */
export function noteAsking(service: Service, line: Line | undefined, now: number): void {
  const releasedAt = line?.coming.shift();
  if (line === undefined || releasedAt === undefined) return;
  line.asked += 1;
  noteComing(service, now - releasedAt);
}

/** One of those that were released asks for no place: the next may have it. */
export function noteElsewhere({ lines }: Registry, name: string): void {
  lines.get(name)?.coming.shift();
}

/** Something has changed for those that wait: they are looked at without a pause. */
export function hastenLines(registry: Registry, service: string | undefined): void {
  const lines = service === undefined ? registry.lines.values() : linesOf(registry, service);
  for (const line of lines) Object.assign(line, { notBefore: 0, pauseMs: PAUSE_MS, again: 0, asked: 0 });
}

/** Released tasks of a service that have not asked yet: room is kept for them. */
export function comingOf(registry: Registry, service: string, now: number): number {
  return linesOf(registry, service).reduce((sum, line) => sum + coming(line, now), 0);
}

function coming(line: Line, now: number): number {
  while (line.coming[0] !== undefined && line.coming[0] <= now - COMING_MS) line.coming.shift();
  return line.coming.length;
}

export function takeDueReleases(registry: Registry, now: number): ReleaseRequest[] {
  return [...registry.lines.values()].flatMap((line) => {
    if (line.isReleasing || line.notBefore > now) return [];
    const { count, at, shard } = nextRelease(registry, line, now);
    if (count === 0 || at > now) return [];
    line.isReleasing = true;
    for (let task = 0; task < count; task++) line.coming.push(now);
    const { service, limits } = capacityFor(registry, line, now);
    const to = shard ?? leastSentTo(line, keyShardsOf(registry, line));
    noteSent(line, to, count);
    return [{ line: line.name, limit: count, perSecond: paceOf(service, limits), shard: to }];
  });
}

/** Elsewhere a task would find no key, and go on to one of these. */
function keyShardsOf(registry: Registry, { service }: Line): readonly number[] | undefined {
  return shardsForPool(registry.settings.keyShards ?? {}, definitionOf(registry, service)?.keyPool);
}

function leastSentTo({ sentTo }: Line, shards: readonly number[] = []): number | undefined {
  const sent = (shard: number) => sentTo.get(shard) ?? 0;
  return shards.toSorted((a, b) => sent(a) - sent(b))[0];
}

function noteSent({ sentTo }: Line, shard: number | undefined, tasks: number): void {
  if (shard !== undefined) sentTo.set(shard, (sentTo.get(shard) ?? 0) + tasks);
}

/** @param answer undefined: the ledger could not be asked */
export function noteReleased(
  registry: Registry,
  { line: name, limit, shard }: ReleaseRequest,
  answer: ReleaseAnswer | undefined,
  now: number,
): void {
  const line = registry.lines.get(name);
  if (line === undefined) return;
  line.isReleasing = false;
  const { released = 0, left = true } = answer ?? {};
  noteSent(line, shard, released - limit);
  line.coming.splice(line.coming.length - Math.min(line.coming.length, limit - released));
  const isSettled = now - line.parkedAt > SETTLED_AFTER_MS;
  if (!left && isSettled && line.coming.length === 0 && released === 0) {
    dropLine(registry, line);
    return;
  }
  line.stands = left || !isSettled;
  const isSlow = answer === undefined || released === 0 || line.again > line.asked / 2;
  Object.assign(line, { again: 0, asked: 0 });
  line.pauseMs = isSlow ? Math.min(MAX_PAUSE_MS, 2 * line.pauseMs) : PAUSE_MS;
  const isEmpty = released < limit;
  const mustPause = isSlow || isEmpty || isUnlimited(capacityFor(registry, line, now));
  line.notBefore = mustPause ? now + line.pauseMs : now;
}

/** When a release of some line is due next. */
export function earliestReleaseAt(registry: Registry, now: number): number {
  const times = [...registry.lines.values()].map((line) =>
    line.isReleasing ? Infinity : Math.max(line.notBefore, nextRelease(registry, line, now).at),
  );
  return Math.min(...times);
}

/** A line's service as the line finds it now. */
interface LineCapacity {
  readonly service: Service;
  /** The service's own, and as many calls at a time as the servers take that the line's tasks can have. */
  readonly limits: Limits;
  /** Servers that the line's tasks can have; undefined for a fixed target. */
  readonly offers: readonly Offer[] | undefined;
}

function capacityFor(registry: Registry, line: Line, now: number): LineCapacity {
  const service = serviceOf(registry, line.service, now);
  const limits = limitsInForce(registry, line.service, now);
  if (hasFixedTarget(definitionOf(registry, line.service))) return { service, limits, offers: undefined };
  const offers = offersFor(registry, line, now);
  return { service, limits: within(limits, capacityOf(offers)), offers };
}

function offersFor(registry: Registry, { service, needs }: Line, now: number): Offer[] {
  const back = offersOf(registry, service).filter((offer) => isBack(registry, offer, now));
  if (needs === undefined || needs === 'unknown') return back;
  const matching = back.filter(({ address }) => meetsRequirements(address, needs.requirements));
  const home = matching.filter(({ server }) => server.id === needs.home);
  // One whose server is gone goes to the next.
  return home.length > 0 ? home : matching;
}

interface NextRelease {
  readonly count: number;
  /** Infinite when an event must come first. */
  readonly at: number;
  readonly shard?: number;
}

const NOT_YET: NextRelease = { count: 0, at: Infinity };

/** How many tasks go next, and when. */
function nextRelease(registry: Registry, line: Line, now: number): NextRelease {
  if (isPaused(registry, line.service, now)) return NOT_YET;
  const capacity = capacityFor(registry, line, now);
  const { service, limits, offers } = capacity;
  const released = comingOf(registry, line.service, now);
  if (service.outage !== undefined) {
    return mayBeTried(service.outage, now) && released === 0 ? { count: 1, at: now } : NOT_YET;
  }
  if (offers?.length === 0) return NOT_YET;
  // Short calls follow one another in a place: so many come for each.
  const inTurn = line.needs === undefined ? callsInTurn(service, limits) : 1;
  const expected = Math.ceil((waitingInPlace(service, now) + released) / inTurn);
  const room = Math.floor(roomOf(capacity, now) - expected);
  const roomiest = roomiestShard(service, keyShardsOf(registry, line));
  const shareRoom = (roomiest?.room ?? Infinity) - released;
  if (room < 1 || shareRoom < 1) {
    const at = Math.max(roomAt(service, limits, expected + 1, now), willingAt(offers)) - service.comingMs;
    // A limit that is lifted, a report that is late: looked at again all the same. What is missing is no time where
    // that has come: an event tells of it.
    return { count: 0, at: at <= now ? now + MISSING_LOOK_MS : Math.min(now + LOOK_MS, Math.max(now + 10, at)) };
  }
  const count = Math.min(MAX_RELEASED, shareRoom, line.needs === 'unknown' ? 1 : room * inTurn);
  return { count, at: now, ...(roomiest !== undefined && { shard: roomiest.shard }) };
}

/** Calls that the line's tasks could start by the time they are here. */
function roomOf({ service, limits, offers }: LineCapacity, now: number): number {
  const until = now + service.comingMs + LEAD_MS;
  const byLimits = roomUntil(service, limits, now, until);
  if (offers === undefined) return byLimits;
  const free = offers.reduce((sum, offer) => sum + (offer.busyUntil <= until ? freeOf(offer) : 0), 0);
  return Math.min(byLimits, free + endsUntil(service, now, until));
}

/** When the first of the servers that have places takes calls again: it may have said so. */
function willingAt(offers: readonly Offer[] | undefined): number {
  const free = offers?.filter((offer) => freeOf(offer) > 0) ?? [];
  return free.length === 0 ? -Infinity : Math.min(...free.map(({ busyUntil }) => busyUntil));
}

/** One that is tried again after its circuit was open takes one call. */
function freeOf(offer: Offer): number {
  const free = freePlaces(offer);
  return offer.circuit.state.is === 'closed' ? free : Math.min(1, free);
}

/** Nobody counts its calls: they are spread by releasing no more than so many at a time. */
function isUnlimited({ service, limits: { maxConcurrency, requestsPerSecond } }: LineCapacity): boolean {
  return service.limiter === undefined && (maxConcurrency ?? requestsPerSecond) === undefined;
}
