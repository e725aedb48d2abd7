/**
 * One batch's places in the flows of its tasks: one is taken before a call looks for a server or a key. A task
 * without a flow pays nothing.
 */
import { shardOfFlow } from '../../shared/flow/flow.ts';
import type { CallReport, PlaceSession } from '../../shared/registry/routing.ts';
import type { Call, EndedCall } from '../call/call.ts';
import type { Background } from './background.ts';
import type { PlaceEnv } from './capacity-env.ts';
import { type CallHost, type Leased, Leases, type Question, UNAVAILABLE_MS } from './leases.ts';
import { askForPlaces, deferredFor, type PlaceGrant, reportPlaces } from './place-source.ts';

export class FlowLeases extends Leases<PlaceEnv, PlaceGrant, CallReport> {
  protected readonly maxInPlaceMs = 4_000;
  /** Nobody else would keep the limits. */
  protected readonly unanswered = deferredFor('flow-limited', UNAVAILABLE_MS);
  protected readonly shortEvent = 'flows.short';
  readonly #session: PlaceSession;
  /** Flows by call. */
  readonly #placed = new Map<string, string>();

  /** @param host hears of calls that waited here: they are `ready` for a server and a key, or over */
  constructor(env: PlaceEnv, session: PlaceSession, background: Background, host: CallHost) {
    super(env, background, host);
    this.#session = session;
  }

  take(calls: readonly Call[]): Promise<Leased> {
    return this.leaseEach(calls, ({ request: { flow } }) => flow && String(shardOfFlow(flow.name)));
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
      const isAwaited = this.waiting > 0 || this.env.servers.hasLine(service, attempted.endedAt);
      this.open.end(id, report, isAwaited ? 'awaited' : 'free');
    }
    this.open.flushHalves();
  }

  protected async ask(shard: string, { leaseId, expiresAt, calls, round, mustNotWait }: Question) {
    const asked = calls.map(({ id, state, request }) => {
      const { name: service, ...limits } = request.flow ?? { name: '' };
      return { id, service, waits: state.deferrals + round, limits, ...(mustNotWait && { mustNotWait }) };
    });
    const request = { leaseId, expiresAt, flowShard: Number(shard), calls: asked };
    const answer = await askForPlaces(this.env, this.#session, request);
    return answer?.answers;
  }

  protected grant(_shard: string, call: Call): Call {
    this.#placed.set(call.id, call.request.flow?.name ?? '');
    return call;
  }

  protected report(shard: string, leaseId: string, reports: CallReport[]): Promise<void> {
    return reportPlaces(this.env, this.#session, { leaseId, flowShard: Number(shard), reports });
  }
}
