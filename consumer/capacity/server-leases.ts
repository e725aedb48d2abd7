/**
 * One batch's dealings with the server registry: takes a place for each call of a routed service, and
 * brings the places back with how the calls went. One question and one report a batch; a long batch
 * brings back early what has ended, in halves, so that one slow call does not hold the others' places.
 *
 * While the registry does not answer, calls go to one of the servers last known, uncounted.
 */
import pRetry from 'p-retry';
import { byName } from '../../shared/by-name.ts';
import { serviceLine, targetOfLine } from '../../shared/capacity/line.ts';
import { logError, logInfo, logWarning } from '../../shared/log.ts';
import type {
  CallReport,
  RegistrySession,
  RouteAnswer,
  RouteDecision,
  RouteRequest,
  RouteWait,
} from '../../shared/registry/routing.ts';
import { isRouted, needsServer, type ServiceDefinition } from '../../shared/service/definition.ts';
import type { Attempted, Call, EndedCall } from '../call/call.ts';
import type { Outcome } from '../call/outcome.ts';
import type { ConsumerEnv } from '../env.ts';
import { othersOf } from './last-known.ts';
import type { ServerUse } from './server-use.ts';

/** Places that others wait for, and those of calls that were not made, go back at once, together. */
const URGENT_MS = 30;

/** Ended calls are brought back early when they are the larger half, but no more often than this. */
const EARLY_MS = 1_000;

/** The registry does not answer and no server is known: tasks come back after this. */
const UNAVAILABLE_MS = 5_000;

/** Well within the slack of the lease. */
const PATIENCE_MS = 2_000;
const RETRIES = { retries: 1, minTimeout: 50, shouldRetry: () => true };

export interface Placed {
  readonly ready: Call[];
  readonly waiting: Waiting[];
}

/** A call that has no place now. */
export interface Waiting {
  readonly call: Call;
  /** When a place may be free, Unix ms; infinite when an event must come first. */
  readonly until: number;
  /** How it ends if it is not asked for again. */
  readonly ended: EndedCall;
}

/** True when the registry has a say in where and when the service is called. */
export function asksRegistry(
  { known }: Pick<ConsumerEnv, 'known'>,
  name: string,
  service: ServiceDefinition | undefined,
) {
  return service !== undefined && (isRouted(service) || known.isPaused(name) || known.isLimited(name));
}

export class ServerLeases {
  readonly #env: ConsumerEnv;
  readonly #session: Pick<RegistrySession, 'route' | 'reportCalls' | 'giveUp'>;
  readonly #onNewerServices: () => Promise<void>;
  #leaseId = crypto.randomUUID();
  /** Calls with a place that have not been brought back. */
  readonly #open = new Map<string, Call>();
  /** Services of calls that need no place, by call. */
  readonly #direct = new Map<string, string>();
  #pending: CallReport[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #broughtAt = 0;
  readonly #returning: Promise<void>[] = [];

  /** @param onNewerServices the registry has newer service definitions than this consumer */
  constructor(
    env: ConsumerEnv,
    session: Pick<RegistrySession, 'route' | 'reportCalls' | 'giveUp'>,
    onNewerServices: () => Promise<void>,
  ) {
    this.#env = env;
    this.#session = session;
    this.#onNewerServices = onNewerServices;
  }

  /**
   * @param round how often the batch has asked for these calls before: then the places of those that
   *   have ended are brought back first
   */
  async take(calls: readonly Call[], round: number): Promise<Placed> {
    if (round > 0) await this.finish();
    const now = Date.now();
    const {
      routed = [],
      late = [],
      direct = [],
    } = Object.groupBy(calls, (call) => {
      if (!this.#isAskedFor(call)) return 'direct';
      return round === 0 && this.#joinsLine(call, now) ? 'late' : 'routed';
    });
    for (const { id, service } of direct) this.#direct.set(id, service);
    const waiting = late.map((call) => notPlaced(call, 'server-busy', now, serviceLine(call.service)));
    if (routed.length === 0) return { ready: direct, waiting };
    // Nothing else waits for the answer, and newcomers of short calls find a place or join a line.
    const mayBeHeld = round === 0 && direct.length === 0 && routed.every(({ state }) => state.deferrals > 0);
    const placed = await this.#ask(routed, round, mayBeHeld);
    return { ready: [...direct, ...placed.ready], waiting: [...waiting, ...placed.waiting] };
  }

  #isAskedFor({ service, line }: Call): boolean {
    const isReleased = line !== undefined && targetOfLine(line)?.kind === 'service';
    return isReleased || asksRegistry(this.#env, service, this.#env.known.find(service));
  }

  /** A newcomer, while others stand in line for the same: it is parked without a question. */
  #joinsLine({ service, state, request }: Call, now: number): boolean {
    const isNewcomer = state.deferrals === 0 && request.requirements === undefined;
    return isNewcomer && this.#env.servers.hasLine(service, now);
  }

  /** Brings back the places of ended calls; calls without a place are none of its business. */
  release(ended: readonly EndedCall[]): void {
    let isAwaited = false;
    for (const { id, attempted } of ended) {
      const { use = { outcome: 'unused' as const }, startedAt, endedAt, unreached, server } = attempted;
      const call = this.#open.get(id);
      if (call === undefined) {
        const service = this.#direct.get(id);
        if (service !== undefined) this.#tellOfUnplaced(id, attempted, use, service);
        continue;
      }
      this.#open.delete(id);
      // Others stand in line for the place.
      isAwaited ||= use.outcome === 'unused' || this.#env.servers.hasLine(call.service, endedAt);
      this.#pending.push({
        id,
        service: call.service,
        durationMs: Math.max(0, endedAt - startedAt),
        ...(call.servers !== undefined && server !== undefined && { server }),
        ...(unreached !== undefined && unreached.length > 0 && { unreached: [...unreached] }),
        ...use,
      });
    }
    if (this.#pending.length === 0) return;
    const isHalf = this.#pending.length >= this.#open.size && this.#open.size > 0;
    if (isAwaited) this.#timer ??= setTimeout(() => this.#bring(), URGENT_MS);
    else if (isHalf && Date.now() - this.#broughtAt >= EARLY_MS) this.#bring();
  }

  /** A service without servers and limits that cannot take its calls: the registry learns it, and keeps its line. */
  #tellOfUnplaced(id: string, { startedAt, endedAt, key }: Attempted, use: ServerUse, service: string): void {
    // With keys it is a key's limit.
    const isBusy = use.outcome === 'busy' && key === undefined;
    if (!isBusy && use.outcome !== 'unreachable') return;
    this.#env.known.noteLimited(service);
    this.#pending.push({ id, service, durationMs: Math.max(0, endedAt - startedAt), isUnplaced: true, ...use });
    this.#timer ??= setTimeout(() => this.#bring(), URGENT_MS);
  }

  /** Brings back what is left. */
  async finish(): Promise<void> {
    this.#bring();
    await Promise.all(this.#returning);
  }

  async #ask(calls: readonly Call[], round: number, mayBeHeld: boolean): Promise<Placed> {
    const env = this.#env;
    const request: RouteRequest = {
      leaseId: this.#leaseId,
      expiresAt: Math.max(...calls.map(({ state }) => state.leaseUntil)),
      ...(mayBeHeld && { mayBeHeld }),
      calls: calls.map(({ id, service, state, request: { requirements } }) => ({
        id,
        service,
        waits: state.deferrals + round,
        ...(requirements !== undefined && { requirements }),
      })),
    };
    let answer: RouteAnswer;
    try {
      answer = await pRetry(() => withinPatience(this.#session.route(request)), RETRIES);
    } catch (error) {
      logError('registry.unavailable', { shard: env.shard, tasks: calls.length }, error);
      if (this.#open.size === 0) this.#giveUp(request.expiresAt);
      return this.#withoutRegistry(calls);
    }
    env.servers.note(answer.servers, Date.now());
    env.servers.noteLines(answer.lines);
    if (answer.servicesVersion === env.known.version) env.known.noteCurrent(Date.now());
    else await this.#onNewerServices();
    return this.#follow(calls, answer);
  }

  #follow(calls: readonly Call[], { decisions, servers }: RouteAnswer): Placed {
    const byId = new Map(decisions.map((decision) => [decision.id, decision]));
    // RPC gives it a prototype, and a service may be called `constructor`.
    const serversOf = byName(servers);
    const ready: Call[] = [];
    const waiting: Waiting[] = [];
    for (const call of calls) {
      const decision = byId.get(call.id);
      if (decision?.is !== 'routed') {
        waiting.push(waitingFor(call, decision));
        continue;
      }
      const { server } = decision;
      if (server === undefined) {
        this.#hold(ready, call);
        continue;
      }
      const others = othersOf(serversOf[call.service] ?? [], server, call.request.requirements, Math.random);
      this.#hold(ready, { ...call, servers: [server, ...others].map(({ id, baseUrl }) => ({ id, baseUrl })) });
    }
    if (waiting.length > 0) {
      logInfo('servers.short', { shard: this.#env.shard, placed: ready.length, waiting: waiting.length });
    }
    this.#broughtAt = Date.now();
    return { ready, waiting };
  }

  /** The answer may still come, and places with it: they go back, and the lease gets no others. */
  #giveUp(expiresAt: number): void {
    const lease = { leaseId: this.#leaseId, expiresAt };
    this.#leaseId = crypto.randomUUID();
    const ended = this.#session.giveUp(lease).catch((error: unknown) => {
      logWarning('registry.unreported', { shard: this.#env.shard, calls: 0, cause: String(error) });
    });
    this.#returning.push(ended);
  }

  #hold(ready: Call[], call: Call): void {
    this.#open.set(call.id, call);
    ready.push(call);
  }

  /** No place is counted then; limits hold again when the registry answers. */
  #withoutRegistry(calls: readonly Call[]): Placed {
    const env = this.#env;
    const ready: Call[] = [];
    const waiting: Waiting[] = [];
    for (const call of calls) {
      const service = env.services[call.service];
      const servers =
        service !== undefined && needsServer(service)
          ? env.servers.pick(call.service, call.request.requirements, Date.now(), Math.random)
          : undefined;
      if (env.known.isPaused(call.service)) waiting.push(notPlaced(call, 'paused', Date.now() + UNAVAILABLE_MS));
      else if (servers === undefined) ready.push(call);
      else if (servers.length === 0) waiting.push(waitingFor(call, undefined));
      else ready.push({ ...call, servers: servers.map(({ id, baseUrl }) => ({ id, baseUrl })) });
    }
    return { ready, waiting };
  }

  #bring(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const reports = this.#pending;
    this.#pending = [];
    this.#broughtAt = Date.now();
    this.#returning.push(this.#report(reports));
  }

  async #report(reports: CallReport[]): Promise<void> {
    try {
      await pRetry(() => withinPatience(this.#session.reportCalls({ leaseId: this.#leaseId, reports })), RETRIES);
    } catch (error) {
      // The registry takes the calls as ended when their lease is over.
      logWarning('registry.unreported', { shard: this.#env.shard, calls: reports.length, cause: String(error) });
    }
  }
}

function waitingFor(call: Call, decision: RouteDecision | undefined): Waiting {
  if (decision?.is !== 'waiting') return notPlaced(call, 'no-server', Date.now() + UNAVAILABLE_MS);
  return notPlaced(call, decision.why, decision.until, decision.line);
}

function notPlaced(call: Call, reason: RouteWait, until: number, line?: string): Waiting {
  const now = Date.now();
  const retryAfterMs = Math.max(0, until - now);
  const outcome: Outcome = {
    kind: 'deferred',
    reason,
    retryAfterMs,
    placedBy: 'registry',
    ...(line !== undefined && { park: { line } }),
  };
  const ended = { id: call.id, attempted: { outcome, startedAt: now, endedAt: now, server: undefined } };
  const isSoon = line === undefined && reason !== 'no-server' && reason !== 'paused';
  return { call, until: isSoon ? until : Number.POSITIVE_INFINITY, ended };
}

async function withinPatience<Value>(question: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the registry did not answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([question, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
