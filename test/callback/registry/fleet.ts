/** Servers of a registry under a clock of the test's own, and calls through them: the pure core as it is. */

import { seededRandom } from '../../../bench/registry/seeded-random.ts';
import { keepAll, type LeaseStore, restoreLeases, writeKept } from '../../../callback/capacity/places.ts';
import { takeReports } from '../../../callback/capacity/report.ts';
import { route } from '../../../callback/capacity/route.ts';
import { heartbeat, heartbeatCluster } from '../../../callback/registry/servers/heartbeat.ts';
import { register } from '../../../callback/registry/servers/members.ts';
import { offerOf } from '../../../callback/registry/servers/server.ts';
import {
  restoreServers,
  restoreServices,
  snapshotServers,
  snapshotServices,
} from '../../../callback/registry/snapshot.ts';
import { type Offer, Registry, type Server } from '../../../callback/registry/state.ts';
import { RegistrationSchema } from '../../../shared/registry/registration.ts';
import type { CallReport, Invocation, RouteAnswer, RouteDecision } from '../../../shared/registry/routing.ts';
import type { RegistryCaller } from '../../../shared/registry/rpc.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import type { ServerRequirements } from '../../../shared/task/server-requirements.ts';

export const T0 = 1_700_000_000_000;

export const alice: RegistryCaller = { subject: 'alice', isAdmin: false };
export const bob: RegistryCaller = { subject: 'bob', isAdmin: false };

interface RouteOptions {
  readonly service?: string;
  readonly requirements?: ServerRequirements;
  readonly waits?: number;
  readonly patientUntil?: number;
  readonly leaseId?: string;
  readonly awaitedUntil?: number;
  readonly expiresAt?: number;
  readonly invocation?: Invocation;
  readonly isUnderWay?: boolean;
}

/** Stands in for storage. */
class LeasesInMemory implements LeaseStore {
  readonly #texts = new Map<string, string>();

  read(): string[] {
    return [...this.#texts.values()];
  }

  write(id: string, text: string | undefined): void {
    if (text === undefined) this.#texts.delete(id);
    else this.#texts.set(id, text);
  }
}

/** Milliseconds between heartbeats. */
export const BEAT_MS = 30_000;

export class Fleet {
  registry: Registry;
  now = T0;
  random = seededRandom(1);
  readonly #services: Readonly<Record<string, unknown>>;
  readonly #stored = new LeasesInMemory();
  #ids = 0;
  #leases = 0;

  constructor(services: Readonly<Record<string, unknown>> = { ocr: {} }) {
    this.#services = services;
    this.registry = this.#empty();
  }

  #empty(): Registry {
    return new Registry({
      heartbeatMs: BEAT_MS,
      goneAfterMs: 3_600_000,
      allowPrivateTargets: false,
      services: servicesSchema(false).parse(this.#services),
    });
  }

  /** @param name its host; @returns its id */
  add(name: string, more: Record<string, unknown> = {}, caller: RegistryCaller = alice): string {
    const answer = this.register(name, more, caller);
    if (!answer.ok) throw new Error(answer.detail);
    return answer.value.id;
  }

  register(name: string, more: Record<string, unknown> = {}, caller: RegistryCaller = alice) {
    const registration = RegistrationSchema.parse({
      url: `https://${name}.example.net`,
      services: [{ name: 'ocr' }],
      ...more,
    });
    return register(this.registry, registration, caller, `srv_${String(this.#ids++).padStart(16, '0')}`, this.now);
  }

  beat(id: string, more: { status?: 'healthy' | 'unhealthy' } = {}, caller: RegistryCaller = alice) {
    return heartbeat(this.registry, id, { status: 'healthy', ...more }, caller, this.now);
  }

  lead(leader: string, members: Readonly<Record<string, boolean>> = {}, caller: RegistryCaller = alice) {
    const list = Object.entries(members).map(([id, up]) => ({ id, up }));
    return heartbeatCluster(this.registry, { leader, members: list }, caller, this.now);
  }

  /** A batch of as many calls. */
  route(count: number, options: RouteOptions = {}): RouteAnswer & { readonly leaseId: string } {
    const leaseId = options.leaseId ?? `leaseId ${String(this.#leases++).padStart(12, '0')}`;
    const calls = Array.from({ length: count }, (_, index) => ({
      id: `${leaseId}/${index}`,
      service: options.service ?? 'ocr',
      waits: options.waits ?? 0,
      ...(options.requirements !== undefined && { requirements: options.requirements }),
      ...(options.patientUntil !== undefined && { patientUntil: options.patientUntil }),
      ...(options.isUnderWay !== undefined && { isUnderWay: options.isUnderWay }),
    }));
    const { expiresAt = this.now + 60_000, invocation } = options;
    const { awaitedUntil } = options;
    const request = { leaseId, expiresAt, awaitedUntil, calls, ...(invocation !== undefined && { invocation }) };
    return { ...route(this.registry, request, this.now, this.random), leaseId };
  }

  /** One call; @returns the id of its server, or why it waits */
  call(options: RouteOptions = {}): { server: string; report: (report: Partial<CallReport>) => void } {
    const answer = this.route(1, options);
    const [decision] = answer.decisions;
    const server = decision === undefined ? 'none' : serverOf(decision);
    return { server, report: (report) => this.report(answer.leaseId, decision, { service: 'ocr', ...report }) };
  }

  report(leaseId: string, decision: RouteDecision | undefined, report: Partial<CallReport> = {}): void {
    if (decision === undefined || decision.is === 'waiting') return;
    const full = {
      id: decision.id,
      service: 'ocr',
      outcome: 'answered' as const,
      durationMs: 10,
      ...(decision.is === 'routed' && decision.server !== undefined && { server: decision.server.id }),
      ...report,
    };
    takeReports(this.registry, { leaseId, reports: [full] }, this.now, this.random);
  }

  server(id: string): Server {
    const server = this.registry.servers.get(id);
    if (server === undefined) throw new Error(`there is no ${id}`);
    return server;
  }

  offer(id: string, service = 'ocr'): Offer {
    const offer = offerOf(this.registry, id, service);
    if (offer === undefined) throw new Error(`${id} does not offer ${service}`);
    return offer;
  }

  /** The object is restarted with what it had written; `sleep`: what it wrote before it went to sleep. */
  restart(how: 'sleep' | 'unplanned' = 'unplanned'): void {
    this.registry.stored.isComplete = how === 'sleep';
    (how === 'sleep' ? keepAll : writeKept)(this.registry, this.#stored);
    const servers = snapshotServers(this.registry, this.now);
    const services = snapshotServices(this.registry);
    this.registry = this.#empty();
    restoreServices(this.registry, services, this.now);
    restoreServers(this.registry, servers, this.now);
    restoreLeases(this.registry, this.#stored, this.now);
  }
}

function serverOf(decision: RouteDecision): string {
  if (decision.is === 'following') return 'following';
  return decision.is === 'routed' ? (decision.server?.id ?? 'fixed') : decision.why;
}

/** How many of an answer's calls went to each server, or wait. */
export function tally({ decisions }: RouteAnswer): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const decision of decisions) counts[serverOf(decision)] = (counts[serverOf(decision)] ?? 0) + 1;
  return counts;
}
