/**
 * One batch's dealings with the flows of its tasks: a place in its flow before a call looks for a server or a key. Calls
 * whose place comes within moments wait here; others stand in the flow's line. A task without a flow pays nothing.
 */
import { shardOfFlow } from '../../shared/flow/flow.ts';
import type { FlowSession } from '../../shared/ledger/contract.ts';
import type { CallReport, PlaceSession, RouteDecision, RouteRequest } from '../../shared/registry/routing.ts';
import type { Call, EndedCall } from '../call/call.ts';
import type { Background } from './background.ts';
import type { PlaceEnv } from './capacity-env.ts';
import type { CallHost, Leased } from './key-leases.ts';
import { OpenLeases } from './open-leases.ts';
import { askForPlaces, notPlaced, reportPlaces } from './place-source.ts';

/** The flow's owner does not answer: tasks come back after this, because nobody would keep the limits. */
const UNAVAILABLE_MS = 5_000;

/** A call waits here no longer than this in all: well within the slack of the task's lease. */
const MAX_IN_PLACE_MS = 4_000;
const MIN_PAUSE_MS = 20;

export class FlowLeases {
  readonly #env: PlaceEnv;
  readonly #session: FlowSession;
  readonly #background: Background;
  readonly #host: CallHost;
  readonly #startedAt = Date.now();
  readonly #leases = new OpenLeases<CallReport>(({ id, owner }, reports) =>
    this.#background.add(reportPlaces(this.#env, this.#of(Number(owner)), id, reports)),
  );
  readonly #placed = new Map<string, string>();
  #waiting = 0;

  /** @param host hears of calls that waited here: they are `ready` for a server and a key, or over */
  constructor(env: PlaceEnv, session: FlowSession, background: Background, host: CallHost) {
    this.#env = env;
    this.#session = session;
    this.#background = background;
    this.#host = host;
  }

  async take(calls: readonly Call[]): Promise<Leased> {
    const { inFlow = [], free = [] } = Object.groupBy(calls, ({ request }) => (request.flow ? 'inFlow' : 'free'));
    if (inFlow.length === 0) return { ready: free, ended: [] };
    const placed = await this.#askAll(inFlow, 0);
    return { ready: [...free, ...placed.ready], ended: placed.ended };
  }

  /** The calls are over, or wait for something else: their places go back. */
  release(ended: readonly EndedCall[]): void {
    for (const { id, attempted } of ended) {
      const service = this.#placed.get(id);
      if (service === undefined) continue;
      this.#placed.delete(id);
      const wasCalled = attempted.use !== undefined && attempted.use.outcome !== 'unused';
      const durationMs = Math.max(0, attempted.endedAt - attempted.startedAt);
      const report = { id, service, outcome: wasCalled ? 'answered' : 'unused', durationMs } as const;
      const isAwaited = this.#waiting > 0 || this.#env.servers.hasLine(service, attempted.endedAt);
      this.#leases.end(id, report, isAwaited ? 'awaited' : 'free');
    }
    this.#leases.flushHalves();
  }

  /** Brings back what is left. */
  flush(): void {
    this.#leases.flush();
  }

  async #askAll(calls: readonly Call[], round: number): Promise<Leased> {
    const shards = Map.groupBy(calls, (call) => shardOfFlow(nameOf(call)));
    const answers = await Promise.all([...shards].map(([shard, part]) => this.#ask(shard, part, round)));
    return { ready: answers.flatMap(({ ready }) => ready), ended: answers.flatMap(({ ended }) => ended) };
  }

  async #ask(shard: number, calls: readonly Call[], round: number): Promise<Leased> {
    const mustNotWait = Date.now() - this.#startedAt > MAX_IN_PLACE_MS;
    const request: RouteRequest = {
      leaseId: crypto.randomUUID(),
      expiresAt: Math.max(...calls.map(({ state }) => state.leaseUntil)),
      calls: calls.map((call) => ({
        id: call.id,
        service: nameOf(call),
        waits: call.state.deferrals + round,
        limits: limitsOf(call),
        ...(mustNotWait && { mustNotWait }),
      })),
    };
    const answer = await askForPlaces(this.#env, this.#of(shard), request);
    if (answer === undefined) return { ready: [], ended: calls.map((call) => declined(call, undefined)) };
    const decisions = new Map(answer.decisions.map((decision) => [decision.id, decision]));
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    const waiting: Call[] = [];
    let until = Number.POSITIVE_INFINITY;
    for (const call of calls) {
      const decision = decisions.get(call.id);
      if (decision?.is === 'routed') {
        this.#placed.set(call.id, nameOf(call));
        ready.push(call);
      } else if (decision?.is === 'waiting' && decision.line === undefined && !mustNotWait) {
        waiting.push(call);
        until = Math.min(until, decision.until);
      } else {
        ended.push(declined(call, decision));
      }
    }
    this.#leases.add(request.leaseId, String(shard), ready);
    if (waiting.length > 0) this.#background.add(this.#askAgain(shard, waiting, until, round + 1));
    return { ready, ended };
  }

  async #askAgain(shard: number, calls: readonly Call[], until: number, round: number): Promise<void> {
    this.#waiting += calls.length;
    await new Promise((resolve) => setTimeout(resolve, Math.max(MIN_PAUSE_MS, until - Date.now())));
    this.#waiting -= calls.length;
    const { ready, ended } = await this.#ask(shard, calls, round);
    this.#host.ended(ended);
    if (ready.length > 0) await this.#host.ready(ready);
  }

  #of(shard: number): PlaceSession {
    return {
      route: (request) => this.#session.routeFlows(shard, request),
      reportCalls: (reports) => this.#session.reportFlows(shard, reports),
      giveUp: (lease) => this.#session.giveUpFlows(shard, lease),
    };
  }
}

function nameOf({ request }: Call): string {
  return request.flow?.name ?? '';
}

function limitsOf({ request }: Call) {
  const { name: _, ...limits } = request.flow ?? { name: '' };
  return limits;
}

function declined({ id }: Call, decision: RouteDecision | undefined): EndedCall {
  if (decision?.is !== 'waiting') return notPlaced(id, 'flow-limited', Date.now() + UNAVAILABLE_MS);
  return notPlaced(id, decision.why === 'paused' ? 'paused' : 'flow-limited', decision.until, decision.line);
}
