/**
 * One batch's dealings with the server registry: takes a place for each call of a routed service, and
 * releases the places with how the calls went. One question and one report a batch, mostly. Short calls
 * follow one another in a place; calls whose place comes within moments wait here; others stand in line.
 */
import { serviceLine, targetOfLine } from '../../shared/capacity/line.ts';
import { logInfo } from '../../shared/log.ts';
import type {
  CallReport,
  Invocation,
  PlaceSession,
  RouteAnswer,
  RouteDecision,
  RouteRequest,
  ServerAddress,
} from '../../shared/registry/routing.ts';
import type { Attempted, Call, EndedCall } from '../call/call.ts';
import { isAboutKey } from '../keys/pool/feedback.ts';
import type { Background } from './background.ts';
import type { CapacityEnv } from './capacity-env.ts';
import type { CallHost, Leased } from './key-leases.ts';
import { othersOf } from './last-known.ts';
import { LONG_MS } from './long-calls.ts';
import { OpenLeases } from './open-leases.ts';
import { askForPlaces, asksRegistry, notPlaced, reportPlaces, withoutRegistry } from './place-source.ts';

/** The registry does not answer and no server is known: tasks come back after this. */
const UNAVAILABLE_MS = 5_000;

/** A call waits here no longer than this in all: well within the slack of the task's lease. */
const MAX_IN_PLACE_MS = 6_000;

/** Asked so long before a place is expected, because the registry may hold the question until it is there. */
const LEAD_MS = 300;
const MIN_PAUSE_MS = 20;

/** Messages in the queue from which on services that may keep their invocations long ask before they do: ten batches. */
const CROWDED_FROM = 100;

const UNUSED = { outcome: 'unused', durationMs: 0 } as const;

export interface RegistryHost extends CallHost {
  /** The registry has newer service definitions than this consumer. */
  readonly onNewerServices: () => Promise<void>;
}

export class ServerLeases implements Disposable {
  readonly #env: CapacityEnv;
  readonly #session: PlaceSession;
  readonly #background: Background;
  readonly #host: RegistryHost;
  readonly #startedAt = Date.now();
  readonly #leases = new OpenLeases<CallReport>(({ id }, reports) =>
    this.#background.add(reportPlaces(this.#env, this.#session, id, reports)),
  );
  /** Calls under a lease. */
  readonly #placed = new Map<string, Call>();
  /** Calls that have the place of another when that has ended, by the other. */
  readonly #followers = new Map<string, Call>();
  /** Calls whose place was passed on before they were brought back. */
  readonly #passedOn = new Set<string>();
  /** Calls under way without a place. */
  readonly #direct = new Map<string, Call>();
  /** The invocation of this batch, as the registry counts it. */
  readonly #invocation: Invocation | undefined;
  /** More tasks wait in the queue than are taken out within moments. */
  readonly #isCrowded: boolean;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  /** Calls that wait here for a place. */
  #waiting = 0;

  /** @param backlog messages that wait in the queue */
  constructor(env: CapacityEnv, session: PlaceSession, background: Background, host: RegistryHost, backlog: number) {
    const { mostInvocations: most, shard } = env;
    const isShared = most !== undefined && Object.keys(env.services).length > 1;
    this.#invocation = isShared ? { id: crypto.randomUUID(), shard: Number(shard), most } : undefined;
    this.#isCrowded = isShared && backlog >= CROWDED_FROM;
    this.#env = env;
    this.#session = session;
    this.#background = background;
    this.#host = host;
  }

  async take(calls: readonly Call[]): Promise<Leased> {
    const now = Date.now();
    const {
      asking = [],
      late = [],
      direct = [],
    } = Object.groupBy(calls, (call) => {
      if (!this.#isAskedFor(call)) return 'direct';
      return this.#joinsLine(call, now) ? 'late' : 'asking';
    });
    for (const call of direct) this.#direct.set(call.id, call);
    if (direct.length > 0 && this.#invocation !== undefined) this.#countWhenLong();
    const ended = late.map(({ id, service }) => notPlaced(id, 'server-busy', now, serviceLine(service)));
    if (asking.length === 0) return { ready: direct, ended };
    // Nothing else waits for the answer, and newcomers of short calls find a place or join a line.
    const mayWait = direct.length === 0 && asking.every(({ state }) => state.deferrals > 0);
    const placed = await this.#ask(asking, 0, mayWait);
    return { ready: [...direct, ...placed.ready], ended: [...ended, ...placed.ended] };
  }

  #isAskedFor({ service, line }: Call): boolean {
    const isReleased = line !== undefined && targetOfLine(line)?.kind === 'service';
    const definition = this.#env.known.find(service);
    const isCrowding = this.#isCrowded && definition !== undefined && this.#env.longCalls.mayBeLong(service);
    return isReleased || isCrowding || asksRegistry(this.#env, service, definition);
  }

  /** Calls that nobody asked for and that last: the registry counts what they keep of the shard. */
  #countWhenLong(): void {
    const count = () => {
      const calls = [...this.#direct.values()];
      if (calls.length > 0) this.#background.add(this.#count(calls));
    };
    this.#timers.push(setTimeout(count, LONG_MS));
  }

  async #count(calls: readonly Call[]): Promise<void> {
    const request = this.#requestFor(calls, ({ id, service }) => ({ id, service, waits: 0, isUnderWay: true }));
    for (const call of calls) {
      this.#direct.delete(call.id);
      this.#placed.set(call.id, call);
    }
    this.#leases.add(request.leaseId, '', calls);
    const answer = await askForPlaces(this.#env, this.#session, request);
    if (answer !== undefined) await this.#heed(answer);
  }

  #requestFor(calls: readonly Call[], asked: (call: Call) => RouteRequest['calls'][number]): RouteRequest {
    const invocation = this.#invocation;
    return {
      leaseId: crypto.randomUUID(),
      expiresAt: Math.max(...calls.map(({ state }) => state.leaseUntil)),
      ...(invocation !== undefined && { invocation }),
      calls: calls.map(asked),
    };
  }

  /** Its definitions may be newer. */
  async #heed({ servicesVersion }: RouteAnswer): Promise<void> {
    if (servicesVersion === this.#env.known.version) this.#env.known.noteCurrent(Date.now());
    else await this.#host.onNewerServices();
  }

  /** A newcomer, while others stand in line for the same: it is parked without a question. */
  #joinsLine({ service, state, request }: Call, now: number): boolean {
    const isNewcomer = state.deferrals === 0 && request.requirements === undefined;
    return isNewcomer && this.#env.servers.hasLine(service, now);
  }

  /** The call has ended, and is brought back in a moment: the one that follows it starts at once. */
  over(ended: EndedCall): void {
    const { key } = ended.attempted;
    // With another key it may go on.
    if (key !== undefined && isAboutKey(key.feedback)) return;
    if (this.#placed.has(ended.id) && this.#passOn(ended)) this.#passedOn.add(ended.id);
  }

  /** Brings back the places of ended calls. */
  release(ended: readonly EndedCall[]): void {
    for (const each of ended) {
      const { id, attempted } = each;
      const call = this.#placed.get(id);
      if (call === undefined) {
        this.#tellOfUnplaced(id, attempted);
        continue;
      }
      this.#placed.delete(id);
      const { use = UNUSED, startedAt, endedAt, unreachableServers, server } = attempted;
      this.#noteDuration(call, attempted);
      const isKept = this.#passedOn.delete(id) || this.#passOn(each);
      const isAwaited =
        use.outcome === 'unused' || this.#waiting > 0 || this.#env.servers.hasLine(call.service, endedAt);
      const report = {
        id,
        service: call.service,
        durationMs: Math.max(0, endedAt - startedAt),
        ...(call.servers !== undefined && server !== undefined && { server }),
        ...(unreachableServers !== undefined &&
          unreachableServers.length > 0 && { unreachableServers: [...unreachableServers] }),
        ...use,
        ...parkedPart(call, attempted),
      };
      this.#leases.end(id, report, isKept ? 'kept' : isAwaited ? 'awaited' : 'free');
    }
    this.#leases.flushHalves();
  }

  /** A service without servers and limits that cannot take its calls: the registry learns it, and keeps its line. */
  #tellOfUnplaced(id: string, attempted: Attempted): void {
    const call = this.#direct.get(id);
    if (call === undefined) return;
    this.#direct.delete(id);
    this.#noteDuration(call, attempted);
    const { startedAt, endedAt, key, use = UNUSED } = attempted;
    const { service } = call;
    // With keys it is a key's limit.
    const isBusy = use.outcome === 'busy' && key === undefined;
    if (!isBusy && use.outcome !== 'unreachable') return;
    this.#env.known.noteLimited(service);
    this.#leases.add(crypto.randomUUID(), service, [call]);
    const durationMs = Math.max(0, endedAt - startedAt);
    const report = { id, service, durationMs, isUnplaced: true, ...use, ...parkedPart(call, attempted) };
    this.#leases.end(id, report, 'awaited');
  }

  #noteDuration({ service }: Call, { startedAt, endedAt, use }: Attempted): void {
    if (use !== undefined && use.outcome !== 'unused') this.#env.longCalls.note(service, endedAt - startedAt);
  }

  /** Brings back what is left. */
  flush(): void {
    this.#leases.flush();
  }

  /** @returns true when the call's place has gone on to the one that follows it */
  #passOn({ id, attempted: { use, unreachableServers } }: EndedCall): boolean {
    const follower = this.#followers.get(id);
    if (follower === undefined) return false;
    const isGood = use?.outcome === 'answered' && (unreachableServers === undefined || unreachableServers.length === 0);
    if (!isGood) {
      this.#dismiss(id);
      return false;
    }
    this.#followers.delete(id);
    this.#background.add(this.#host.ready([follower]));
    return true;
  }

  /** Those that were to follow this call look for places of their own. */
  #dismiss(id: string): void {
    const calls: Call[] = [];
    for (let next = this.#followers.get(id); next !== undefined; next = this.#followers.get(next.id)) calls.push(next);
    for (const before of [id, ...calls.map((call) => call.id)]) this.#followers.delete(before);
    for (const call of calls) {
      this.#placed.delete(call.id);
      this.#leases.end(call.id, { id: call.id, service: call.service, ...UNUSED }, 'awaited');
    }
    if (calls.length > 0) this.#background.add(this.#askAgain(calls, 0, 1));
  }

  async #ask(calls: readonly Call[], round: number, mayWait: boolean): Promise<Leased> {
    const env = this.#env;
    const mustNotWait = Date.now() - this.#startedAt > MAX_IN_PLACE_MS;
    const request: RouteRequest = {
      ...this.#requestFor(calls, ({ id, service, state, request: { requirements } }) => ({
        id,
        service,
        waits: state.deferrals + round,
        ...(requirements !== undefined && { requirements }),
        ...(mustNotWait && { mustNotWait }),
      })),
      ...(mayWait && !mustNotWait && { mayWait }),
    };
    const answer = await askForPlaces(env, this.#session, request);
    if (answer === undefined) return this.#withoutRegistry(calls);
    await this.#heed(answer);
    const { ready, ended, waiting, until } = this.#obey(request.leaseId, calls, answer, mustNotWait);
    if (waiting.length > 0) this.#background.add(this.#askAgain(waiting, until, round + 1));
    const short = waiting.length + ended.length;
    if (short > 0) logInfo('servers.short', { shard: env.shard, placed: calls.length - short, waiting: short });
    return { ready, ended };
  }

  #obey(leaseId: string, calls: readonly Call[], answer: RouteAnswer, mustNotWait: boolean) {
    const decisions = new Map(answer.decisions.map((decision) => [decision.id, decision]));
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    const waiting: Call[] = [];
    const placed: Call[] = [];
    let until = Number.POSITIVE_INFINITY;
    for (const call of calls) {
      const decision = decisions.get(call.id);
      if (decision?.is === 'routed' || decision?.is === 'following') {
        const held = atServer(call, serverOf(decision, decisions), answer);
        placed.push(call);
        this.#placed.set(call.id, held);
        if (decision.is === 'routed') ready.push(held);
        else this.#followers.set(decision.call, held);
      } else if (decision === undefined || decision.line !== undefined || mustNotWait) {
        ended.push(declined(call, decision));
      } else {
        waiting.push(call);
        until = Math.min(until, decision.until);
      }
    }
    this.#leases.add(leaseId, '', placed);
    if (placed.length > ready.length) this.#watchFollowers(placed);
    return { ready, ended, waiting, until };
  }

  /** A call that takes longer than usual keeps those that follow it no longer than a call may wait here. */
  #watchFollowers(calls: readonly Call[]): void {
    const dismissAll = () => {
      for (const { id } of calls) this.#dismiss(id);
    };
    this.#timers.push(setTimeout(dismissAll, MAX_IN_PLACE_MS));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #askAgain(calls: readonly Call[], until: number, round: number): Promise<void> {
    this.#waiting += calls.length;
    await new Promise((resolve) => setTimeout(resolve, Math.max(MIN_PAUSE_MS, until - Date.now() - LEAD_MS)));
    const { ready, ended } = await this.#ask(calls, round, true);
    this.#waiting -= calls.length;
    this.#host.ended(ended);
    if (ready.length > 0) await this.#host.ready(ready);
  }

  #withoutRegistry(calls: readonly Call[]): Leased {
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    for (const call of calls) {
      const found = withoutRegistry(this.#env, call.service, call.request.requirements);
      if (found.kind === 'waits') ended.push(notPlaced(call.id, found.why, Date.now() + UNAVAILABLE_MS));
      else if (found.servers === undefined) ready.push(call);
      else ready.push({ ...call, servers: addressesOf(found.servers) });
    }
    return { ready, ended };
  }
}

function parkedPart({ service }: Call, { outcome }: Attempted) {
  const isParked = outcome.kind === 'deferred' && outcome.park?.line === serviceLine(service);
  return isParked ? { isParked } : {};
}

/** A call that follows another is made where that one is. */
function serverOf(decision: RouteDecision, decisions: ReadonlyMap<string, RouteDecision>): ServerAddress | undefined {
  let first: RouteDecision | undefined = decision;
  while (first?.is === 'following') first = decisions.get(first.call);
  return first?.is === 'routed' ? first.server : undefined;
}

function atServer(call: Call, server: ServerAddress | undefined, { servers }: RouteAnswer): Call {
  if (server === undefined) return call;
  const others = othersOf(servers[call.service] ?? [], server, call.request.requirements, Math.random);
  return { ...call, servers: addressesOf([server, ...others]) };
}

function addressesOf(servers: readonly ServerAddress[]): NonNullable<Call['servers']> {
  return servers.map(({ id, baseUrl }) => ({ id, baseUrl }));
}

function declined({ id }: Call, decision: Extract<RouteDecision, { is: 'waiting' }> | undefined): EndedCall {
  if (decision === undefined) return notPlaced(id, 'no-server', Date.now() + UNAVAILABLE_MS);
  return notPlaced(id, decision.why, decision.until, decision.line);
}
