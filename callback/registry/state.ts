/**
 * The state of the registry as plain data that one owner (the Durable Object) holds and the functions of this room
 * change in place. A server offers services; health and circuit are kept for each offer, places and liveness for the
 * server. All times are Unix milliseconds, handed in.
 */
import type { Limiter } from '../../shared/capacity/limiter.ts';
import type { StartLog } from '../../shared/pace/start-log.ts';
import type { OfferedService, Registration } from '../../shared/registry/registration.ts';
import type { Invocation, ServerAddress } from '../../shared/registry/routing.ts';
import type { ServicePause } from '../../shared/registry/rpc.ts';
import type { BalancingAlgorithm, ServiceDefinition } from '../../shared/service/definition.ts';
import type { FlowLimits } from '../../shared/task/flow-limits.ts';
import type { ServerRequirements } from '../../shared/task/server-requirements.ts';
import { type Circuit, newCircuit } from './servers/circuit.ts';
import { Metrics } from './servers/metrics.ts';
import type { RegistrySettings } from './settings.ts';

/** A new server is first checked after this; its leader may have spoken for it by then. */
export const SHAKY_CHECK_MS = 15_000;

type ServerIdentity = Pick<Server, 'id' | 'owner' | 'url' | 'registeredAt'>;

export class Server {
  readonly id: string;
  readonly owner: string;
  /** Without a slash at the end; a server is known by it. */
  readonly url: string;
  readonly registeredAt: number;
  /** As it was last registered; its services are `offers`. */
  registration: Omit<Registration, 'url' | 'services'>;
  offers: readonly Offer[] = [];
  /** By itself, by its leader, or by a health check when it sends no heartbeats. */
  lastHeardAt: number;
  /** By itself: what leadership rests on. */
  lastSpokeAt: number;
  /** Its leader said that it is up; 0: never. */
  coveredAt = 0;
  /** False: it lives by its health checks. */
  sendsHeartbeats = false;
  isDraining = false;
  /** As `watchLiveness` found it last. */
  isSilent = false;
  down: { readonly by: 'itself' | 'leader'; readonly since: number } | undefined = undefined;
  /** When its offers are checked next, if they need it, and the pause after that. */
  check: { dueAt: number; intervalMs: number };
  inFlight = 0;

  /** @param url as `serverUrl` writes it */
  constructor({ id, owner, url, registeredAt }: ServerIdentity, registration: Server['registration'], now: number) {
    this.id = id;
    this.owner = owner;
    this.url = url;
    this.registeredAt = registeredAt;
    this.registration = registration;
    this.lastHeardAt = now;
    this.lastSpokeAt = now;
    this.check = { dueAt: now + SHAKY_CHECK_MS, intervalMs: SHAKY_CHECK_MS };
  }
}

/** One service on one server. */
export class Offer {
  readonly server: Server;
  service: OfferedService;
  address: ServerAddress;
  readonly origin: string;
  readonly circuit: Circuit;
  readonly metrics = new Metrics();
  readonly check: OfferCheck;
  /** It said that it is busy until then. */
  busyUntil = 0;
  inFlight = 0;
  picked = 0;
  /** Number of its latest pick among all picks: who was picked longest ago comes first. */
  turn = 0;
  /** Of the weighted turn. */
  credit = 0;

  constructor(server: Server, service: OfferedService, address: ServerAddress, now: number) {
    this.server = server;
    this.service = service;
    this.address = address;
    this.origin = new URL(address.baseUrl).origin;
    this.circuit = newCircuit(now);
    this.check = { hasAnswered: false, tries: 0, failures: 0, since: now, why: '' };
  }
}

export interface OfferCheck {
  /** It answered at least one check: from then on its checks are believed. */
  hasAnswered: boolean;
  tries: number;
  /** In a row. */
  failures: number;
  since: number;
  why: string;
}

export interface Service {
  readonly since: number;
  /** Its places that are taken. */
  readonly running: Set<Place>;
  /** Calls that were let in, as far as `requestsPerSecond` asks. */
  readonly starts: StartLog;
  /** Calls that came for the first time, of the last minute. */
  readonly arrivals: StartLog;
  /** By shard. */
  readonly shares: Map<number, Share>;
  /** Calls that wait where they are for a place within a moment, and when each is given up. */
  readonly inPlace: Map<string, number>;
  /** Moving average of how long an answered call takes; 0: not known. */
  meanMs: number;
  /** Moving average of the time from a task's release to its question. */
  comingMs: number;
  /** Of a fixed address that cannot be reached. */
  outage: Outage | undefined;
  /** Of a fixed address that has said that it had enough: learns what it bears. */
  limiter: ServiceLimiter | undefined;
}

export interface ServiceLimiter {
  readonly limiter: Limiter;
  /** When its limit was last met. */
  at: number;
  /** Calls that were let in so far. */
  letIn: number;
  /** Tasks that were refused without a time: how often with others let in in between, and the count of these at the last one. */
  readonly refused: Map<string, { times: number; letIn: number }>;
}

/** Of one service on one shard. */
export interface Share {
  /** Invocations that it may keep. */
  most: number;
  /** Places by invocation. */
  readonly kept: Map<string, number>;
}

export interface Ramp {
  /** Unix ms. */
  readonly since: number;
  readonly seconds: number;
}

export interface Flow {
  readonly limits: FlowLimits;
  readonly definition: ServiceDefinition;
  /** A person said the limits: what tasks say does not count. */
  readonly isPut: boolean;
  seenAt: number;
}

export interface Outage {
  readonly since: number;
  readonly why: string;
  /** When it is asked next. */
  checkAt: number;
  intervalMs: number;
  /** Somebody answers: one task may try it. */
  isBack: boolean;
  /** When a task was let go to try it. */
  triedAt: number | undefined;
}

/** Service definitions that were put at run time, and what else was said of services. */
class Catalog {
  version = 0;
  readonly put = new Map<string, { readonly sent: unknown; readonly definition: ServiceDefinition }>();
  readonly paused = new Map<string, ServicePause>();
  readonly balancing = new Map<string, BalancingAlgorithm>();
  /** Services that were resumed of late, and begin slowly. */
  readonly ramps = new Map<string, Ramp>();
  /** Services with a fixed target whose calls must be asked for, although no limit of their own says so. */
  limited: ReadonlySet<string> = new Set();
  /** When names were deleted that nobody has defined since, the latest last: tasks of before may still be in a queue. */
  readonly deleted = new Map<string, number>();
}

export interface Line {
  readonly name: string;
  readonly service: string;
  /** What all in it ask of their server; `unknown` after a restart, until one of them has asked. */
  readonly needs: LineNeeds | 'unknown' | undefined;
  /** Somebody stands in it, as far as is known: newcomers join its end. */
  stands: boolean;
  /** When a task was told to park; its row may be written a little later. */
  parkedAt: number;
  /** When each task that was released and has not asked yet was released. */
  coming: number[];
  /** Tasks that were released and have asked since the last answer to a release, and those of them that were parked again. */
  asked: number;
  again: number;
  /** No release before this. */
  notBefore: number;
  pauseMs: number;
  isReleasing: boolean;
  /** Tasks by shard, so far. */
  readonly sentTo: Map<number, number>;
}

export interface LineNeeds {
  readonly requirements?: ServerRequirements;
  /** The one server that its affinity key leads to. */
  readonly home?: string;
}

export interface Place {
  readonly service: string;
  /** Undefined for a service with a fixed target. */
  readonly offer: Offer | undefined;
  /** The calls that have it one after the other, in their order. */
  readonly calls: string[];
  /** Of them, not released. */
  left: number;
  /** When the call that has it now began. */
  beganAt: number;
  /** What a call of its service is expected to take; 0: not known. */
  readonly callMs: number;
  /** Of the limiter that a fixed address has, once it has said that it had enough. */
  readonly ticket?: number | undefined;
  /** It tries a circuit that was open. */
  isProbe: boolean;
}

export interface LeaseGroup {
  readonly id: string;
  expiresAt: number;
  /** In which its calls are made. */
  readonly invocation: Invocation | undefined;
  /** By call. */
  readonly open: Map<string, Place>;
  /** It outlives a restart: one of its calls is counted by a limit of calls at a time. */
  isKept: boolean;
}

/** An event for the log. */
export interface Notice {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class Registry {
  readonly settings: RegistrySettings;
  /** By id. */
  readonly servers = new Map<string, Server>();
  /** By service. */
  readonly offers = new Map<string, Offer[]>();
  /** The leader's id by cluster. */
  readonly leaders = new Map<string, string>();
  readonly services = new Map<string, Service>();
  /** By name; in the objects of flows alone. */
  readonly flows = new Map<string, Flow>();
  readonly catalog = new Catalog();
  readonly leases = new Map<string, LeaseGroup>();
  /** Leases that are over, because all their calls were released or their callers have gone, and when they expire. */
  readonly ended = new Map<string, number>();
  /** Of questions by which a call was given nothing: until when the latest copy that was answered is awaited, by lease. */
  readonly answered = new Map<string, number>();
  /** By name: lines in which tasks may stand. */
  readonly lines = new Map<string, Line>();
  /** The same by service, by name: every event asks what stands for a service, or a flow, and there may be thousands. */
  readonly linesOf = new Map<string, Map<string, Line>>();
  /** Calls that were given a server so far. */
  picks = 0;
  /** What the snapshot does not hold yet; whether a check is due sooner than it was, and who must ask for its calls. */
  readonly changed = { servers: false, contacts: false, services: false, checks: false, limits: false };
  /** Leases to be kept that storage does not hold as they are. */
  readonly unkept = new Set<LeaseGroup>();
  /** Of the snapshot of servers: whether nothing was left out, and when the latest grace began (see `snapshot.ts`). */
  readonly stored = { isComplete: false, graceAt: 0 };
  /** What people should know, once; its owner takes it out. */
  readonly notices: Notice[] = [];

  constructor(settings: RegistrySettings) {
    this.settings = settings;
  }
}
