/**
 * Gives the calls of a batch their servers: for each a server now, or when to look again. One answer
 * a batch; asked again for a call that has its place, it says the same. Pure over the registry's state.
 */

import type { RouteAnswer, RouteDecision, RouteRequest, ServerAddress } from '../../shared/registry/routing.ts';
import { meetsWishes } from '../../shared/registry/routing.ts';
import type { BalancingAlgorithm } from '../../shared/service/definition.ts';
import { pickOffer } from './balance.ts';
import { admits, circuitState } from './circuit.ts';
import { isAvailable } from './liveness.ts';
import { noteParked } from './parked.ts';
import { type Block, blockOf, expireBlocks, freePlaces, takePlace } from './places.ts';
import { type Offer, offersOf, type Registry, serviceOf } from './server.ts';
import { noteArrival, noteWaiting, type Service } from './service.ts';
import { balancingOf, definitionOf, hasFixedTarget } from './services.ts';
import { Turnstile } from './turnstile.ts';

type Call = RouteRequest['calls'][number];

/** Parked tasks look again after this even if no event woke them, spread over a minute. */
const PARKED_MS = 300_000;
const PARKED_SPREAD_MS = 60_000;

/** For a call that is not parked while nobody knows when a server comes. */
const UNKNOWN_WAIT_MS = 5_000;

/** Failover, and picking without the registry, need no more. */
const MAX_ADDRESSES = 100;

export function route(registry: Registry, request: RouteRequest, now: number, random: () => number): RouteAnswer {
  expireBlocks(registry, now);
  const block = blockOf(registry, request.block, request.expiresAt);
  const counters = new Map<string, Counter>();
  const counterOf = (service: string) => {
    const known = counters.get(service) ?? new Counter(registry, service, now, random);
    counters.set(service, known);
    return known;
  };
  // Who has waited is served first.
  const order = [...request.calls].sort((a, b) => Number(b.waits > 0) - Number(a.waits > 0));
  const decided = new Map(order.map((call) => [call.id, counterOf(call.service).decide(block, call)]));
  if (block.open.size === 0) registry.blocks.delete(request.block);
  return {
    decisions: request.calls.flatMap(({ id }) => decided.get(id) ?? []),
    servers: Object.fromEntries([...counters].map(([service, counter]) => [service, counter.addresses()])),
    servicesVersion: registry.catalog.version,
  };
}

/** One service as it stands during one answer. */
class Counter {
  readonly #registry: Registry;
  readonly #name: string;
  readonly #now: number;
  readonly #random: () => number;
  readonly #service: Service;
  readonly #isFixed: boolean;
  readonly #isPaused: boolean;
  readonly #algorithm: BalancingAlgorithm;
  readonly #turnstile: Turnstile;
  readonly #available: readonly Offer[];

  constructor(registry: Registry, name: string, now: number, random: () => number) {
    const definition = definitionOf(registry, name);
    this.#registry = registry;
    this.#name = name;
    this.#now = now;
    this.#random = random;
    this.#service = serviceOf(registry, name, now);
    this.#isFixed = hasFixedTarget(definition);
    this.#isPaused = registry.catalog.paused.has(name);
    this.#algorithm = balancingOf(registry, name);
    this.#turnstile = new Turnstile(this.#service, definition, now);
    this.#available = this.#isFixed
      ? []
      : offersOf(registry, name).filter((offer) => isAvailable(registry, offer, now));
  }

  decide(block: Block, call: Call): RouteDecision {
    const place = block.open.get(call.id);
    if (place !== undefined) return { id: call.id, is: 'routed', server: place.offer?.address };
    if (call.waits === 0) noteArrival(this.#service, this.#now);
    if (this.#isPaused) return this.#park(call, 'paused', []);
    return this.#isFixed ? this.#admit(block, call) : this.#send(block, call);
  }

  /** The call's target is fixed: only its place is counted. */
  #admit(block: Block, call: Call): RouteDecision {
    const isBack = call.waits > 0;
    if (!this.#turnstile.lets(isBack, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY))
      return this.#wait(call, Number.POSITIVE_INFINITY, 0);
    return this.#go(block, call, undefined);
  }

  #send(block: Block, call: Call): RouteDecision {
    const matching =
      call.wishes === undefined
        ? this.#available
        : this.#available.filter(({ address }) => meetsWishes(address, call.wishes));
    const working = matching.filter(({ circuit }) => circuitState(circuit, this.#now) !== 'open');
    if (working.length === 0) return this.#park(call, 'no-server', matching);
    const open = working.filter((offer) => this.#isOpen(offer));
    const places = open.reduce((sum, offer) => sum + freePlaces(offer), 0);
    const capacity = capacityOf(working);
    const lets = this.#turnstile.lets(call.waits > 0, places, capacity);
    const offer = lets ? this.#pick(matching, open, call) : undefined;
    if (offer !== undefined) return this.#go(block, call, offer);
    // All servers that it could have are full, or said that they are busy.
    return this.#wait(call, capacity, Math.min(...working.map(({ busyUntil }) => busyUntil)));
  }

  #isOpen(offer: Offer): boolean {
    return offer.busyUntil <= this.#now && freePlaces(offer) > 0 && admits(offer.circuit, this.#now);
  }

  #pick(matching: readonly Offer[], open: readonly Offer[], { wishes }: Call): Offer | undefined {
    return pickOffer(this.#algorithm, matching, open, wishes?.affinityKey, this.#random, this.#now);
  }

  #go(block: Block, call: Call, offer: Offer | undefined): RouteDecision {
    this.#turnstile.takeUp(call.waits > 0);
    this.#turnstile.noteStart();
    this.#service.waiters.delete(call.id);
    takePlace(this.#registry, block, call.id, this.#name, offer, this.#now);
    if (offer !== undefined) {
      offer.picked += 1;
      this.#registry.picks += 1;
      offer.turn = this.#registry.picks;
    }
    return { id: call.id, is: 'routed', server: offer?.address };
  }

  #wait(call: Call, capacity: number, notBefore: number): RouteDecision {
    this.#turnstile.takeUp(call.waits > 0);
    const until = this.#turnstile.placeAt(capacity, notBefore, this.#random());
    // Who does not come back leaves nothing behind.
    if (until > (call.patientUntil ?? until)) {
      return { id: call.id, is: 'waiting', why: 'server-busy', until, parked: false };
    }
    this.#turnstile.promise(until);
    noteWaiting(this.#service, call.id, until, this.#now);
    return { id: call.id, is: 'waiting', why: 'server-busy', until, parked: false };
  }

  /** @param matching servers that it could have, were their circuits not open */
  #park({ id, patientUntil }: Call, why: 'no-server' | 'paused', matching: readonly Offer[]): RouteDecision {
    if (patientUntil !== undefined) {
      const times = matching.flatMap(({ circuit }) => (circuit.state.is === 'open' ? [circuit.state.until] : []));
      const until = times.length === 0 ? this.#now + UNKNOWN_WAIT_MS : Math.min(...times);
      return { id, is: 'waiting', why, until, parked: false };
    }
    const until = this.#now + PARKED_MS + PARKED_SPREAD_MS * this.#random();
    noteParked(this.#registry, this.#name, this.#now);
    noteWaiting(this.#service, id, until, this.#now);
    return { id, is: 'waiting', why, until, parked: true };
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

/** Calls at a time. */
function capacityOf(offers: readonly Offer[]): number {
  return offers.reduce((sum, { server }) => sum + server.registration.maxConcurrency, 0);
}
