/**
 * What the producer asks of the server registry in the callback Worker: the HTTP interface of servers,
 * services and balancing, as values. Bodies were parsed before; who may ask what was checked before,
 * except for whose server it is, which only the registry knows.
 */

import type { ClientQuota, QuotaState } from '../service/client-quota.ts';
import type { FlowLimits } from '../task/flow-limits.ts';
import type { ClusterHeartbeat, Heartbeat, Registration } from './registration.ts';
import type { AbandonedLease, CallReports, RouteAnswer, RouteRequest, ServiceCatalog } from './routing.ts';

export type RegistryProblemCode =
  | 'server-not-found'
  | 'service-not-found'
  | 'service-busy'
  | 'flow-not-found'
  | 'not-heartbeat-leader'
  | 'invalid-request'
  | 'forbidden';

export type Answered<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: RegistryProblemCode; readonly detail: string };

/** Who asks. A server's token speaks for the servers of its subject, an admin's for all. */
export interface RegistryCaller {
  readonly subject: string;
  readonly isAdmin: boolean;
}

export interface Registered {
  readonly id: string;
  /** False when the URL was known already. */
  readonly created: boolean;
  readonly heartbeatIntervalSeconds: number;
  readonly isHeartbeatLeader: boolean;
  /** The leader's URL (its agent's, when it has one), when another server leads. */
  readonly heartbeatLeaderUrl: string | undefined;
}

/** After a heartbeat: how things stand for who sent it. */
export interface HeartbeatAnswer {
  readonly heartbeatIntervalSeconds: number;
  readonly isHeartbeatLeader: boolean;
  readonly heartbeatLeaderUrl: string | undefined;
  /** For the leader: whom to look after. */
  readonly members: readonly ClusterMember[];
}

export interface ClusterMember {
  readonly id: string;
  readonly url: string;
  /** Where the leader looks after it; undefined: it sends its own heartbeats. */
  readonly agentUrl: string | undefined;
}

export const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const;
export type CircuitStateName = (typeof CIRCUIT_STATES)[number];

export const SERVER_STATES = ['healthy', 'unhealthy', 'draining', 'drained'] as const;
export type ServerStateName = (typeof SERVER_STATES)[number];

/** One service on one server. Times are Unix ms. */
export interface OfferedServiceView {
  readonly name: string;
  readonly baseUrl: string;
  readonly version: string | undefined;
  readonly healthy: boolean;
  /** Why it is not, and since when. */
  readonly why: string | undefined;
  readonly circuit: {
    readonly state: CircuitStateName;
    readonly until: number | undefined;
    readonly history: readonly { readonly at: number; readonly state: CircuitStateName; readonly why: string }[];
  };
  readonly inFlight: number;
}

export interface ServerView {
  readonly id: string;
  readonly url: string;
  readonly owner: string;
  readonly cluster: string;
  readonly state: ServerStateName;
  readonly why: string | undefined;
  readonly services: readonly OfferedServiceView[];
  readonly tier: number;
  readonly weight: number;
  readonly maxConcurrency: number;
  readonly capabilities: Readonly<Record<string, string | number | boolean>>;
  readonly isHeartbeatLeader: boolean;
  readonly inFlight: number;
  readonly registeredAt: number;
  readonly lastHeardAt: number;
  /** When the next health check is due; undefined when none is needed. */
  readonly nextCheckAt: number | undefined;
}

/** Of the last five minutes, by service. Latencies in milliseconds; undefined without calls. */
export interface ServerMetrics {
  readonly id: string;
  readonly services: readonly {
    readonly name: string;
    readonly calls: number;
    readonly failures: number;
    readonly busy: number;
    readonly callsPerSecond: number;
    readonly inFlight: number;
    readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | undefined;
    readonly ewmaMs: number | undefined;
  }[];
}

export interface ServiceView {
  readonly name: string;
  /** `file`: wrangler.toml; `api`: put at run time, which wins; `servers`: offered by servers, and defined nowhere. */
  readonly source: 'file' | 'api' | 'servers';
  readonly paused: boolean;
  readonly pause: ServicePause | undefined;
  /** Of a fixed target: since when nobody is there, Unix ms. */
  readonly unreachable: { readonly since: number; readonly why: string } | undefined;
  readonly balancing: string;
  readonly target: 'servers' | 'fixed';
  readonly servers: { readonly total: number; readonly available: number };
  readonly inFlight: number;
}

/** One service, with the definition that is in force. */
export interface ServiceDetail extends ServiceView {
  /** With its defaults; undefined: servers offer it, and nobody has defined it. */
  readonly definition: Readonly<Record<string, unknown>> | undefined;
  /** What wrangler.toml says, where it is not what is in force. */
  readonly overridden: Readonly<Record<string, unknown>> | undefined;
  /** Calls a second that it may start now, while it is resumed with a ramp; and until when, Unix ms. */
  readonly ramp: { readonly perSecond: number; readonly until: number } | undefined;
}

/** Until when, Unix ms, and why; an open end without `until`. */
export interface ServicePause {
  /** Of a webhook: whose it is. */
  readonly owner?: string | undefined;
  readonly until?: number | undefined;
  readonly reason?: string | undefined;
}

/** A flow, for its submitter. */
export interface FlowView {
  readonly limits: FlowLimits;
  /** Who said the limits: a person by the API, or its newest task. */
  readonly source: 'api' | 'task';
  readonly paused: boolean;
  readonly pause: ServicePause | undefined;
  readonly inFlight: number;
  /** Tasks that stand in its line. */
  readonly waiting: number;
}

export interface NamedFlow extends FlowView {
  /** As `flowName` says it. */
  readonly name: string;
}

/** A part of the list of flows, by name. */
export interface FlowsAsked {
  /** What their names begin with: all flows, or those of one subject. */
  readonly prefix: string;
  /** They come after this name. */
  readonly after: string;
  readonly limit: number;
}

/** For autoscalers: what a service has to do, and how many servers would do it. */
export interface DemandView {
  readonly service: string;
  readonly inFlight: number;
  /** Calls at a time that its available servers take. */
  readonly capacity: number;
  readonly available: number;
  /** Tasks that wait in line, for places, for keys or in flows, and those that wait a moment where they are. */
  readonly waiting: number;
  /** Those of them that more servers would help. */
  readonly waitingForPlace: number;
  readonly arrivalsPerSecond: number;
  readonly meanLatencyMs: number | undefined;
  /** Until a new task starts, as it looks now; 0 while there is room, undefined when nobody knows. */
  readonly estimatedWaitSeconds: number | undefined;
  /** By Little's law: arrivals per second x mean latency / calls at a time of a server, and who waits. */
  readonly advisedServers: number;
}

export interface BalancerView {
  readonly services: readonly {
    readonly service: string;
    readonly algorithm: string;
    readonly servers: readonly {
      readonly id: string;
      readonly url: string;
      readonly picked: number;
      readonly inFlight: number;
    }[];
  }[];
}

/** The callback Worker's entrypoint `RegistryRpc`. */
export interface RegistryRpc {
  register(registration: Registration, caller: RegistryCaller): Promise<Answered<Registered>>;
  heartbeat(id: string, heartbeat: Heartbeat, caller: RegistryCaller): Promise<Answered<HeartbeatAnswer>>;
  heartbeatCluster(heartbeat: ClusterHeartbeat, caller: RegistryCaller): Promise<Answered<HeartbeatAnswer>>;
  /** The server asks to lead its cluster; granted when nobody does, or the leader is silent. */
  claimLeadership(id: string, caller: RegistryCaller): Promise<Answered<HeartbeatAnswer>>;
  setMaintenance(id: string, enabled: boolean, caller: RegistryCaller): Promise<Answered<ServerView>>;
  removeServer(id: string, caller: RegistryCaller): Promise<Answered<undefined>>;
  listServers(caller: RegistryCaller): Promise<readonly ServerView[]>;
  getServer(id: string, caller: RegistryCaller): Promise<Answered<ServerView>>;
  getMetrics(id: string, caller: RegistryCaller): Promise<Answered<ServerMetrics>>;

  listServices(): Promise<readonly ServiceView[]>;
  readServices(known: number): Promise<ServiceCatalog | undefined>;
  /** @param definition as it was sent, checked; @returns the new version of the catalog */
  putService(name: string, definition: unknown): Promise<number>;
  /** `service-busy` while it has calls in flight or tasks that have not ended, which `force` ends. */
  deleteService(name: string, force: boolean): Promise<Answered<undefined>>;
  /** @param pause undefined: it goes on, and its tasks with it */
  setPaused(name: string, pause: ServicePause | undefined): Promise<Answered<undefined>>;
  /** @param rampSeconds so long its calls grow to what it bears */
  resume(name: string, rampSeconds: number | undefined): Promise<Answered<undefined>>;
  getService(name: string): Promise<Answered<ServiceDetail>>;
  getDemand(name: string): Promise<Answered<DemandView>>;
  /** @param name of the flow, as `flowName` says it */
  getFlow(name: string): Promise<Answered<FlowView>>;
  listFlows(asked: FlowsAsked): Promise<readonly NamedFlow[]>;
  putFlow(name: string, limits: FlowLimits): Promise<FlowView>;
  pauseFlow(name: string, pause: ServicePause | undefined): Promise<Answered<FlowView>>;
  /** Of a client at a service with a quota. */
  admitTasks(subject: string, service: string, quota: ClientQuota, wanted: number): Promise<QuotaState>;
  getBalancer(): Promise<BalancerView>;
  setBalancing(name: string, algorithm: string): Promise<Answered<undefined>>;

  /** For the synchronous route's consumers, which hold no ledger session. */
  route(request: RouteRequest): Promise<RouteAnswer>;
  reportCalls(reports: CallReports): Promise<void>;
  giveUp(lease: AbandonedLease): Promise<void>;
}
