/**
 * Gives the calls of a batch their places: for each a server now, a moment to ask again, or a line to
 * stand in. One answer a batch; asked again for a call that has its place, it says the same.
 * Deterministic, without I/O.
 */
import { waitsInPlace } from '../../shared/capacity/lease.ts';
import { isFlowName } from '../../shared/flow/flow.ts';
import type {
  RouteAnswer,
  RouteDecision,
  RouteRequest,
  RouteWait,
  ServerAddress,
} from '../../shared/registry/routing.ts';
import { meetsRequirements } from '../../shared/registry/routing.ts';
import type { BalancingAlgorithm } from '../../shared/service/definition.ts';
import { learnFlow } from '../flows/flows.ts';
import { admits, circuitState } from '../registry/servers/circuit.ts';
import { isAvailable } from '../registry/servers/liveness.ts';
import { offersOf } from '../registry/servers/server.ts';
import type { LeaseGroup, LineNeeds, Offer, Place, Registry, Service } from '../registry/state.ts';
import { balancingOf, definitionOf, hasFixedTarget, isPaused, pauseOf } from '../services/definitions.ts';
import { homeOf, pickOffer } from './balance.ts';
import { capacityOf, limitsInForce, within } from './limits.ts';
import { comingOf, lineOf, noteAsking, notePark } from './line.ts';
import { mayBeTried } from './outage.ts';
import { expireLeases, followInPlace, freePlaces, leaseOf, noteKept, takePlace } from './places.ts';
import {
  callsInTurn,
  FOLLOW_WITHIN_MS,
  type Limits,
  noteArrival,
  roomAt,
  roomNow,
  serviceOf,
  waitInPlace,
  waitingInPlace,
} from './service.ts';
import { isOverShare } from './shares.ts';

type AskedCall = RouteRequest['calls'][number];

/** A call that cannot stand in a line looks again after this when nobody knows better. */
const LOOK_AGAIN_MS = 1_000;
const NO_SERVER_MS = 5_000;

/** Failover, and picking without the registry, need no more. */
const MAX_ADDRESSES = 100;

/** So long a consumer sends newcomers to the end of a line without asking. */
const LINE_HOLDS_MS = 2_000;

export function route(registry: Registry, request: RouteRequest, now: number, random: () => number): RouteAnswer {
  expireLeases(registry, now);
  for (const { service, limits } of request.calls) {
    if (limits !== undefined) learnFlow(registry, service, limits, now);
  }
  const { leaseId, expiresAt, awaitedUntil = expiresAt } = request;
  // A copy that was sent before another that is answered already: nobody waits for it any more.
  const isEarlier = awaitedUntil < (registry.answered.get(leaseId) ?? 0);
  const isOver = registry.ended.has(leaseId) || isEarlier || awaitedUntil <= now;
  const lease = leaseOf(registry, leaseId, expiresAt, request.invocation);
  const admissions = new Map<string, Admission>();
  const admissionOf = (service: string) => {
    const known = admissions.get(service) ?? new Admission(registry, service, now, random);
    admissions.set(service, known);
    return known;
  };
  // Calls that have waited are served first.
  const order = [...request.calls].sort((a, b) => Number(b.waits > 0) - Number(a.waits > 0));
  const decided = new Map(
    order.map((call) => {
      const isNobodys = isOver && !lease.open.has(call.id);
      return [call.id, isNobodys ? nothing(call, now) : admissionOf(call.service).decide(lease, call)];
    }),
  );
  if (!isOver && lease.open.size < request.calls.length) registry.answered.set(leaseId, awaitedUntil);
  if (lease.open.size === 0) registry.leases.delete(leaseId);
  noteKept(registry, lease);
  return {
    decisions: request.calls.flatMap(({ id }) => decided.get(id) ?? []),
    servers: Object.fromEntries([...admissions].map(([service, admission]) => [service, admission.addresses()])),
    lines: Object.fromEntries([...admissions.keys()].flatMap((service) => lineStateOf(registry, service, now))),
    servicesVersion: registry.catalog.version,
  };
}

function placed({ calls, offer }: Place, id: string): RouteDecision {
  const before = calls[calls.indexOf(id) - 1];
  return before === undefined ? { id, is: 'routed', server: offer?.address } : { id, is: 'following', call: before };
}

/** Nobody reads it. */
function nothing({ id }: AskedCall, now: number): RouteDecision {
  return { id, is: 'waiting', why: 'server-busy', until: now + LOOK_AGAIN_MS };
}

function lineStateOf(registry: Registry, service: string, now: number): [string, number][] {
  const line = lineOf(registry, service, undefined);
  if (line === undefined || !line.stands) return [];
  // Newcomers are parked there unseen until then.
  line.parkedAt = Math.max(line.parkedAt, now);
  return [[service, now + LINE_HOLDS_MS]];
}

/** One service as it stands during one answer. */
class Admission {
  readonly #registry: Registry;
  readonly #name: string;
  readonly #now: number;
  readonly #random: () => number;
  readonly #service: Service;
  readonly #limits: Limits;
  readonly #isFixed: boolean;
  readonly #algorithm: BalancingAlgorithm;
  readonly #available: readonly Offer[];

  constructor(registry: Registry, name: string, now: number, random: () => number) {
    this.#registry = registry;
    this.#name = name;
    this.#now = now;
    this.#random = random;
    this.#service = serviceOf(registry, name, now);
    this.#limits = limitsInForce(registry, name, now);
    this.#isFixed = hasFixedTarget(definitionOf(registry, name));
    this.#algorithm = balancingOf(registry, name);
    this.#available = this.#isFixed
      ? []
      : offersOf(registry, name).filter((offer) => isAvailable(registry, offer, now));
  }

  decide(lease: LeaseGroup, call: AskedCall): RouteDecision {
    const place = lease.open.get(call.id);
    if (place !== undefined) return placed(place, call.id);
    if (call.isUnderWay === true) return this.#go(lease, call, undefined);
    if (call.waits === 0) noteArrival(this.#service, this.#now);
    const waitedInPlace = this.#service.inPlace.delete(call.id);
    const matching = this.#matching(call);
    const needs = this.#needs(call, matching);
    if (call.waits > 0 && !waitedInPlace) {
      noteAsking(this.#service, lineOf(this.#registry, this.#name, needs), this.#now);
    }
    if (isPaused(this.#registry, this.#name, this.#now)) return this.#park(call, 'paused', needs);
    const { invocation } = lease;
    if (invocation !== undefined && isOverShare(this.#service, invocation))
      return this.#park(call, 'server-busy', needs);
    return this.#isFixed ? this.#admit(lease, call, needs) : this.#send(lease, call, matching, needs);
  }

  #matching({ requirements }: AskedCall): readonly Offer[] {
    if (requirements === undefined) return this.#available;
    return this.#available.filter(({ address }) => meetsRequirements(address, requirements));
  }

  /** What decides in which line it stands, if it must. */
  #needs({ requirements }: AskedCall, matching: readonly Offer[]): LineNeeds | undefined {
    if (this.#isFixed || requirements === undefined) return undefined;
    const { affinityKey, ...server } = requirements;
    const home = this.#algorithm === 'sticky' ? homeOf(matching, affinityKey, this.#now)?.server.id : undefined;
    if (home === undefined && Object.keys(server).length === 0) return undefined;
    return { requirements: server, ...(home !== undefined && { home }) };
  }

  /** The call's target is fixed: only its place is counted. */
  #admit(lease: LeaseGroup, call: AskedCall, needs: LineNeeds | undefined): RouteDecision {
    const { outage } = this.#service;
    if (outage !== undefined) {
      if (!mayBeTried(outage, this.#now)) return this.#park(call, 'unreachable', needs);
      outage.triedAt = this.#now;
      return this.#go(lease, call, undefined);
    }
    if (this.#mustJoinLine(call, needs)) return this.#park(call, this.#busy(), needs);
    return this.#hasRoom(call, Infinity)
      ? this.#go(lease, call, undefined)
      : this.#wait(lease, call, needs, Infinity, 0);
  }

  #send(lease: LeaseGroup, call: AskedCall, matching: readonly Offer[], needs: LineNeeds | undefined): RouteDecision {
    const working = matching.filter(({ circuit }) => circuitState(circuit, this.#now) !== 'open');
    if (working.length === 0) return this.#park(call, 'no-server', needs, matching);
    if (this.#mustJoinLine(call, needs)) return this.#park(call, 'server-busy', needs);
    const open = working.filter((offer) => this.#isOpen(offer));
    const places = open.reduce((sum, offer) => sum + freePlaces(offer), 0);
    const offer = this.#hasRoom(call, places) ? this.#pick(matching, open, call) : undefined;
    if (offer !== undefined) return this.#go(lease, call, offer);
    // All servers that it could have are full, or said that they are busy.
    return this.#wait(lease, call, needs, capacityOf(working), Math.min(...working.map(({ busyUntil }) => busyUntil)));
  }

  /** Nobody overtakes those who stand there. */
  #mustJoinLine({ waits, patientUntil }: AskedCall, needs: LineNeeds | undefined): boolean {
    return waits === 0 && patientUntil === undefined && lineOf(this.#registry, this.#name, needs)?.stands === true;
  }

  /** What is released, or waits in place, has its room kept. */
  #hasRoom({ waits }: AskedCall, places: number): boolean {
    const room = Math.min(places, roomNow(this.#service, this.#limits, this.#now));
    return room >= 1 && (waits > 0 || room - this.#expected() >= 1);
  }

  /** Places that those will take who wait where they are, or were released. */
  #expected(): number {
    const calls = waitingInPlace(this.#service, this.#now) + comingOf(this.#registry, this.#name, this.#now);
    return Math.ceil(calls / callsInTurn(this.#service, this.#limits));
  }

  #isOpen(offer: Offer): boolean {
    return offer.busyUntil <= this.#now && freePlaces(offer) > 0 && admits(offer.circuit, this.#now);
  }

  #pick(matching: readonly Offer[], open: readonly Offer[], { requirements }: AskedCall): Offer | undefined {
    return pickOffer(this.#algorithm, matching, open, requirements?.affinityKey, this.#random, this.#now);
  }

  #go(lease: LeaseGroup, call: AskedCall, offer: Offer | undefined): RouteDecision {
    const place = takePlace(this.#registry, lease, call.id, this.#name, offer, this.#now);
    if (offer !== undefined) {
      offer.picked += 1;
      this.#registry.picks += 1;
      offer.turn = this.#registry.picks;
    }
    return placed(place, call.id);
  }

  /** @param capacity calls at a time that its servers take @param notBefore until then it cannot, whatever the places */
  #wait(
    lease: LeaseGroup,
    call: AskedCall,
    needs: LineNeeds | undefined,
    capacity: number,
    notBefore: number,
  ): RouteDecision {
    const shared = this.#placeToFollow(lease, call);
    if (shared !== undefined) return placed(shared, call.id);
    const limits = within(this.#limits, capacity);
    const at = Math.max(notBefore, roomAt(this.#service, limits, this.#expected() + 1, this.#now));
    const { id, patientUntil, waits } = call;
    // What was released has stood in line; it waits as long as it may for those before it.
    const withinMs = waits > 0 ? FOLLOW_WITHIN_MS : undefined;
    const mayWait = waitsInPlace(at, this.#now, withinMs) && call.mustNotWait !== true;
    if (patientUntil === undefined && !mayWait) return this.#park(call, this.#busy(), needs);
    const until = Number.isFinite(at) ? Math.max(at, this.#now + 1) : this.#now + LOOK_AGAIN_MS;
    if (until <= (patientUntil ?? until)) waitInPlace(this.#service, id, until);
    return { id, is: 'waiting', why: this.#busy(), until };
  }

  /** Any server's place does for a call that asks nothing of its server. */
  #placeToFollow(lease: LeaseGroup, { id, patientUntil, requirements }: AskedCall): Place | undefined {
    if (patientUntil !== undefined || requirements !== undefined) return undefined;
    const limits = { withinMs: FOLLOW_WITHIN_MS, calls: callsInTurn(this.#service, this.#limits) };
    return limits.calls === 1 ? undefined : followInPlace(lease, id, this.#name, this.#now, limits);
  }

  #busy(): RouteWait {
    if (isFlowName(this.#name)) return 'flow-limited';
    return this.#service.limiter === undefined ? 'server-busy' : 'rate-limited';
  }

  /** @param matching servers that it could have, were their circuits not open */
  #park(call: AskedCall, why: RouteWait, needs: LineNeeds | undefined, matching: readonly Offer[] = []): RouteDecision {
    const { id, patientUntil, waits } = call;
    if (patientUntil !== undefined) {
      const times = matching.flatMap(({ circuit }) => (circuit.state.is === 'open' ? [circuit.state.until] : []));
      return { id, is: 'waiting', why, until: times.length === 0 ? this.#now + NO_SERVER_MS : Math.min(...times) };
    }
    const { name } = notePark(this.#registry, this.#name, needs, waits > 0, this.#now);
    const until = this.#opensAt();
    return { id, is: 'waiting', why, line: name, ...(until !== undefined && { until }) };
  }

  /** Nobody starts before, as a person or the backend has said. */
  #opensAt(): number | undefined {
    const { limiter } = this.#service;
    const paused = pauseOf(this.#registry, this.#name, this.#now)?.until ?? 0;
    const at = Math.max(paused, limiter?.limiter.toldUntil ?? 0);
    return at > this.#now ? at : undefined;
  }

  /** The emptiest first. */
  addresses(): ServerAddress[] {
    return this.#available
      .filter(({ circuit, busyUntil }) => circuitState(circuit, this.#now) === 'closed' && busyUntil <= this.#now)
      .sort((a, b) => freePlaces(b) - freePlaces(a))
      .slice(0, MAX_ADDRESSES)
      .map(({ address }) => address);
  }
}
