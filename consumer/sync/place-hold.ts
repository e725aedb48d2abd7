/**
 * A place at a server for one synchronous call: asked of the registry by itself, moved to another
 * server when one cannot be reached, and reported when the call is over. Services with a fixed target
 * and no limits need none.
 */
import type { CallReport, RouteWait, ServerAddress } from '../../shared/registry/routing.ts';
import type { RegistryRpc } from '../../shared/registry/rpc.ts';
import type { Declined } from '../../shared/sync/call.ts';
import type { RegistryEnv } from '../call/call-env.ts';
import type { PlaceEnv } from '../capacity/capacity-env.ts';
import { askForPlaces, reportPlaces, withoutRegistry } from '../capacity/place-source.ts';

export interface ServerPlace {
  /** Undefined for a fixed target. */
  readonly server: ServerAddress | undefined;
  /** Goes to another server that takes calls; false when there is none that has not been tried. */
  moveOn(): boolean;
  /** Never rejects: the registry takes a call that it hears nothing of as ended in the end. */
  report(report: PlaceReport): Promise<void>;
}

export type PlaceReport = Pick<CallReport, 'outcome' | 'durationMs' | 'isOngoing'> & {
  readonly busyUntil?: number | undefined;
};

export type PlaceTaken =
  | { readonly kind: 'acquired'; readonly place: ServerPlace }
  | { readonly kind: 'waiting'; readonly declined: Declined & { readonly until: number } };

export interface PlaceRequest {
  readonly id: string;
  readonly service: string;
  readonly waits: number;
  /** Unix ms. */
  readonly patientUntil: number;
  /** When the call has ended for sure, Unix ms. */
  readonly expiresAt: number;
}

/** A call that needs no place. */
export const FREE_PLACE: ServerPlace = { server: undefined, moveOn: () => false, report: async () => {} };

/** Nothing is known of any server: the client may try again after this. */
const UNAVAILABLE_MS = 5_000;

export async function takePlace(env: PlaceEnv & RegistryEnv, request: PlaceRequest): Promise<PlaceTaken> {
  const { id, service, waits, patientUntil, expiresAt } = request;
  const call = { id, service, leaseId: crypto.randomUUID() };
  const waiting = (why: RouteWait, until: number): PlaceTaken => ({
    kind: 'waiting',
    declined: { why: why === 'rate-limited' ? 'server-busy' : why, until },
  });
  const question = { leaseId: call.leaseId, expiresAt, calls: [{ id, service, waits, patientUntil }] };
  const answer = await askForPlaces(env, env.registry, question);
  if (answer === undefined) {
    const found = withoutRegistry(env, service, undefined);
    if (found.kind === 'waits') return waiting(found.why, Date.now() + UNAVAILABLE_MS);
    const [server, ...others] = found.servers ?? [];
    return { kind: 'acquired', place: new AcquiredPlace(env, undefined, call, server, others) };
  }
  const [decision] = answer.decisions;
  if (decision?.is === 'waiting') return waiting(decision.why, decision.until);
  if (decision?.is !== 'routed') return waiting('no-server', Date.now() + UNAVAILABLE_MS);
  const others = answer.servers[service] ?? [];
  return { kind: 'acquired', place: new AcquiredPlace(env, env.registry, call, decision.server, others) };
}

/** How the registry knows the call. */
interface PlacedCall {
  readonly id: string;
  readonly service: string;
  readonly leaseId: string;
}

class AcquiredPlace implements ServerPlace {
  /** Undefined: the place was not given by the registry, which so wants no report. */
  readonly #registry: RegistryRpc | undefined;
  readonly #env: PlaceEnv;
  readonly #call: PlacedCall;
  readonly #others: readonly ServerAddress[];
  readonly #unreachableServers: string[] = [];
  #server: ServerAddress | undefined;

  constructor(
    env: PlaceEnv,
    registry: RegistryRpc | undefined,
    call: PlacedCall,
    server: ServerAddress | undefined,
    others: readonly ServerAddress[],
  ) {
    this.#env = env;
    this.#registry = registry;
    this.#call = call;
    this.#server = server;
    this.#others = others;
  }

  get server(): ServerAddress | undefined {
    return this.#server;
  }

  moveOn(): boolean {
    if (this.#server === undefined) return false;
    const tried = [...this.#unreachableServers, this.#server.id];
    const left = this.#others.filter(({ id }) => !tried.includes(id));
    const next = left[Math.floor(Math.random() * left.length)];
    if (next === undefined) return false;
    this.#unreachableServers.push(this.#server.id);
    this.#server = next;
    return true;
  }

  async report({ outcome, durationMs, busyUntil, isOngoing }: PlaceReport): Promise<void> {
    const registry = this.#registry;
    if (registry === undefined) return;
    const { id, service, leaseId } = this.#call;
    const report: CallReport = {
      id,
      service,
      outcome,
      durationMs,
      ...(this.#server !== undefined && { server: this.#server.id }),
      ...(this.#unreachableServers.length > 0 && { unreachableServers: this.#unreachableServers }),
      ...(busyUntil !== undefined && { busyUntil }),
      ...(isOngoing !== undefined && { isOngoing }),
    };
    await reportPlaces(this.#env, registry, leaseId, [report]);
  }
}
