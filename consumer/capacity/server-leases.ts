/**
 * One batch's places at services: taken for calls of services that have servers or limits, released with how the
 * calls went. One question and one report a batch, mostly. Short calls follow one another in a place.
 */
import { serviceLine, targetOfLine } from '../../shared/capacity/line.ts';
import type {
  CallReport,
  Invocation,
  PlaceSession,
  RouteRequest,
  ServerAddress,
} from '../../shared/registry/routing.ts';
import type { DeferralReason } from '../../shared/task/state.ts';
import type { Outcome } from '../call/answer/outcome.ts';
import type { Attempted, Call, EndedCall } from '../call/call.ts';
import { isAboutKey } from '../keys/pool/feedback.ts';
import type { Background } from './background.ts';
import type { CapacityEnv } from './capacity-env.ts';
import { type CallHost, type Leased, Leases, type Question, UNAVAILABLE_MS } from './leases.ts';
import { LONG_MS } from './long-calls.ts';
import {
  askForPlaces,
  asksRegistry,
  deferredFor,
  type PlaceGrant,
  reportPlaces,
  withoutRegistry,
} from './place-source.ts';

/** The one lender. */
const REGISTRY = 'registry';

/** Messages in the queue from which on services that may keep their invocations long ask before they do: ten batches. */
const CROWDED_FROM = 100;

const UNUSED = { outcome: 'unused', durationMs: 0 } as const;

/** A service that could not take calls of this batch for which nobody had asked. */
interface Refusing {
  /** Under which its calls are told of. */
  readonly leaseId: string;
  /** Why those that it refused stand in its line. */
  readonly reason?: DeferralReason;
}

export interface RegistryHost extends CallHost {
  /** The registry has newer service definitions than this consumer. */
  readonly onNewerServices: () => Promise<void>;
}

export class ServerLeases extends Leases<CapacityEnv, PlaceGrant, CallReport> implements Disposable {
  protected readonly maxInPlaceMs = 6_000;
  protected override readonly leadMs = 300;
  protected readonly unanswered = deferredFor('no-server', UNAVAILABLE_MS);
  protected readonly shortEvent = 'servers.short';
  readonly #session: PlaceSession;
  readonly #onNewerServices: RegistryHost['onNewerServices'];
  /** Calls under a lease. */
  readonly #placed = new Map<string, Call>();
  /** Calls that have the place of another when that has ended, by the other. */
  readonly #followers = new Map<string, Call>();
  /** Calls whose place was passed on before they were brought back. */
  readonly #passedOn = new Set<string>();
  /** Calls without a place, under way or not begun. */
  readonly #direct = new Map<string, Call>();
  /** Of those that were answered, by service: told once it refuses one. */
  readonly #untold = new Map<string, { readonly id: string; readonly report: () => CallReport }[]>();
  /** Services that could not take such a call of this batch. */
  readonly #refusing = new Map<string, Refusing>();
  /** The invocation of this batch, as the registry counts it. */
  readonly #invocation: Invocation | undefined;
  /** More tasks wait in the queue than are taken out within moments. */
  readonly #isCrowded: boolean;
  /** Questions for places of calls that are under way, by lease: how those went is told after them. */
  readonly #counting = new Map<string, Promise<unknown>>();
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  /** @param backlog messages that wait in the queue */
  constructor(env: CapacityEnv, session: PlaceSession, background: Background, host: RegistryHost, backlog: number) {
    super(env, background, host);
    const { mostInvocations: most, shard } = env;
    const isShared = most !== undefined && Object.keys(env.services).length > 1;
    this.#invocation = isShared ? { id: crypto.randomUUID(), shard: Number(shard), most } : undefined;
    this.#isCrowded = isShared && backlog >= CROWDED_FROM;
    this.#session = session;
    this.#onNewerServices = host.onNewerServices;
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
    const ended = late.map(({ id, service }) =>
      this.declined(id, { ...deferredFor('server-busy', 0), park: { line: serviceLine(service) } }),
    );
    if (asking.length === 0) return { ready: direct, ended };
    const placed = await this.lease(REGISTRY, asking);
    return { ready: [...direct, ...placed.ready], ended: [...ended, ...placed.ended] };
  }

  #isAskedFor({ service, line }: Call): boolean {
    const isReleased = line !== undefined && targetOfLine(line)?.kind === 'service';
    const definition = this.env.known.find(service);
    const isCrowding = this.#isCrowded && definition !== undefined && this.env.longCalls.mayBeLong(service);
    return isReleased || isCrowding || asksRegistry(this.env, service, definition);
  }

  /** Calls that nobody asked for and that last: the registry counts what they keep of the shard. */
  #countWhenLong(): void {
    const count = () => {
      const calls = [...this.#direct.values()];
      if (calls.length > 0) this.#count(calls);
    };
    this.#timers.push(setTimeout(count, LONG_MS));
  }

  #count(calls: readonly Call[]): void {
    const leaseId = crypto.randomUUID();
    for (const call of calls) {
      this.#direct.delete(call.id);
      this.#placed.set(call.id, call);
    }
    this.open.add(leaseId, REGISTRY, calls);
    const counting = this.#route({
      leaseId,
      expiresAt: Math.max(...calls.map(({ state }) => state.leaseUntil)),
      calls: calls.map(({ id, service }) => ({ id, service, waits: 0, isUnderWay: true })),
    });
    this.#counting.set(leaseId, counting);
    this.background.add(counting);
  }

  async #route(request: RouteRequest) {
    const invocation = this.#invocation;
    const answer = await askForPlaces(this.env, this.#session, invocation ? { ...request, invocation } : request);
    if (answer === undefined) return undefined;
    const { known } = this.env;
    if (answer.servicesVersion === known.version) known.noteCurrent(Date.now());
    else await this.#onNewerServices();
    return answer.answers;
  }

  /** A newcomer, while others stand in line for the same: it is parked without a question. */
  #joinsLine({ service, state, request }: Call, now: number): boolean {
    const isNewcomer = state.deferrals === 0 && request.requirements === undefined;
    return isNewcomer && this.env.servers.hasLine(service, now);
  }

  /** The call has ended, and is brought back in a moment: the one that follows it starts at once. */
  over(ended: EndedCall): void {
    this.#noteRefusal(ended);
    const { key } = ended.attempted;
    // With another key it may go on.
    if (key !== undefined && isAboutKey(key.feedback)) return;
    const call = this.#placed.get(ended.id);
    if (call !== undefined && this.#passOn(call, ended.attempted)) this.#passedOn.add(ended.id);
  }

  /** Brings back the places of ended calls. */
  release(ended: readonly EndedCall[]): void {
    for (const { id, attempted } of ended) {
      const call = this.#placed.get(id);
      if (call === undefined) {
        this.#tellOfUnplaced(id, attempted);
        continue;
      }
      this.#placed.delete(id);
      this.#noteDuration(call, attempted);
      const isKept = this.#passedOn.delete(id) || this.#passOn(call, attempted);
      const report = reportOf(call, attempted);
      const isAwaited =
        report.outcome === 'unused' || this.waiting > 0 || this.env.servers.hasLine(call.service, attempted.endedAt);
      this.open.end(id, report, isKept ? 'kept' : isAwaited ? 'awaited' : 'free');
    }
    this.open.flushHalves();
  }

  /**
   * A service without servers and limits that cannot take its calls: the registry learns it, keeps its line, and is told
   * of the calls of this batch that were let in.
   */
  #tellOfUnplaced(id: string, attempted: Attempted): void {
    const call = this.#direct.get(id);
    if (call === undefined) return;
    this.#direct.delete(id);
    this.#noteDuration(call, attempted);
    const { service } = call;
    const isAnswered = attempted.use?.outcome === 'answered';
    // With keys it is a key's limit.
    if (attempted.key !== undefined || !(isAnswered || isRefusal(attempted))) return;
    const untold = this.#untold.get(service) ?? [];
    this.#untold.set(service, untold);
    untold.push({ id, report: () => ({ ...reportOf(call, attempted), isUnplaced: true }) });
    const { leaseId } = this.#refusing.get(service) ?? {};
    if (leaseId === undefined) return;
    this.open.add(leaseId, REGISTRY, untold);
    for (const each of untold.splice(0)) this.open.end(each.id, each.report(), 'awaited');
  }

  #noteRefusal({ id, attempted }: EndedCall): void {
    const { outcome, key } = attempted;
    const call = this.#direct.get(id);
    if (call === undefined || this.#refusing.has(call.service) || key !== undefined || !isRefusal(attempted)) return;
    const { service } = call;
    this.env.known.noteLimited(service);
    const isInLine = outcome.kind === 'deferred' && outcome.park?.line === serviceLine(service);
    this.#refusing.set(service, { leaseId: crypto.randomUUID(), ...(isInLine && { reason: outcome.reason }) });
  }

  /** @returns what becomes of a call that waits for its turn, where its service has refused others of this batch meanwhile */
  heldBack({ id, service }: Call): Outcome | undefined {
    const { reason } = this.#refusing.get(service) ?? {};
    if (reason === undefined || !this.#direct.has(id)) return undefined;
    return { kind: 'deferred', reason, retryAfterMs: undefined, park: { line: serviceLine(service) } };
  }

  #noteDuration({ service }: Call, { startedAt, endedAt, use }: Attempted): void {
    if (use !== undefined && use.outcome !== 'unused') this.env.longCalls.note(service, endedAt - startedAt);
  }

  /** @returns true when the call's place has gone on to the one that follows it */
  #passOn({ id, servers }: Call, { use, unreachableServers }: Attempted): boolean {
    const follower = this.#followers.get(id);
    if (follower === undefined) return false;
    const isGood = use?.outcome === 'answered' && (unreachableServers === undefined || unreachableServers.length === 0);
    if (!isGood) {
      this.#dismiss(id);
      return false;
    }
    this.#followers.delete(id);
    const held = servers === undefined ? follower : { ...follower, servers };
    this.#placed.set(held.id, held);
    this.background.add(this.host.ready([held]));
    return true;
  }

  /** Those that were to follow this call look for places of their own. */
  #dismiss(id: string): void {
    const calls: Call[] = [];
    for (let next = this.#followers.get(id); next !== undefined; next = this.#followers.get(next.id)) calls.push(next);
    for (const before of [id, ...calls.map((call) => call.id)]) this.#followers.delete(before);
    for (const call of calls) {
      this.open.end(call.id, { id: call.id, service: call.service, ...UNUSED }, 'awaited');
    }
    this.leaseLater(REGISTRY, calls, 0, 1);
  }

  protected ask(_registry: string, { leaseId, expiresAt, calls, round, mustNotWait }: Question) {
    // Only when nothing else waits for the answer; and newcomers of short calls find a place or join a line.
    const mayWait = round > 0 || (this.#direct.size === 0 && calls.every(({ state }) => state.deferrals > 0));
    return this.#route({
      leaseId,
      expiresAt,
      calls: calls.map(({ id, service, state, request: { requirements } }) => ({
        id,
        service,
        waits: state.deferrals + round,
        ...(requirements !== undefined && { requirements }),
        ...(mustNotWait && { mustNotWait }),
      })),
      ...(mayWait && !mustNotWait && { mayWait }),
    });
  }

  protected grant(_registry: string, call: Call, { server, after }: PlaceGrant): Call | undefined {
    if (after === undefined) {
      const held = server === undefined ? call : { ...call, servers: this.#withOthers(call, server) };
      this.#placed.set(call.id, held);
      return held;
    }
    this.#followers.set(after, call);
    // A call that takes longer than usual keeps those that follow it no longer than a call may wait here.
    this.#timers.push(setTimeout(() => this.#dismiss(after), this.maxInPlaceMs));
    return undefined;
  }

  #withOthers({ service, request }: Call, server: ServerAddress) {
    return addressesOf([server, ...this.env.servers.othersOf(service, server, request.requirements, Math.random)]);
  }

  protected async report(_registry: string, leaseId: string, reports: CallReport[]): Promise<void> {
    await this.#counting.get(leaseId);
    await reportPlaces(this.env, this.#session, { leaseId, reports });
  }

  protected override tellElsewhere(lines: readonly string[]): void {
    const elsewhere = lines.filter((line) => targetOfLine(line)?.kind === 'service');
    if (elsewhere.length === 0) return;
    const told = { leaseId: crypto.randomUUID(), reports: [], elsewhere };
    this.background.add(reportPlaces(this.env, this.#session, told));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  protected override unavailable(calls: readonly Call[]): Leased {
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    for (const call of calls) {
      const found = withoutRegistry(this.env, call.service, call.request.requirements);
      if (found.kind === 'waits') ended.push(this.declined(call.id, deferredFor(found.why, UNAVAILABLE_MS)));
      else if (found.servers === undefined) ready.push(call);
      else ready.push({ ...call, servers: addressesOf(found.servers) });
    }
    return { ready, ended };
  }
}

function isRefusal({ use }: Attempted): boolean {
  return use?.outcome === 'busy' || use?.outcome === 'unreachable';
}

function reportOf({ id, service, servers }: Call, attempted: Attempted): CallReport {
  const { use = UNUSED, outcome, startedAt, endedAt, unreachableServers = [], server } = attempted;
  const isParked = outcome.kind === 'deferred' && outcome.park?.line === serviceLine(service);
  return {
    id,
    service,
    durationMs: Math.max(0, endedAt - startedAt),
    ...(servers !== undefined && server !== undefined && { server }),
    ...(unreachableServers.length > 0 && { unreachableServers: [...unreachableServers] }),
    ...use,
    ...(isParked && { isParked }),
  };
}

function addressesOf(servers: readonly ServerAddress[]): NonNullable<Call['servers']> {
  return servers.map(({ id, baseUrl }) => ({ id, baseUrl }));
}
