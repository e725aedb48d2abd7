/**
 * What a consumer asks of the server registry, through its ledger session: a server for each call of
 * a batch, and afterwards how the calls went. One question and one report a batch (a long batch
 * reports in between), so the registry's object is asked twice for a hundred tasks.
 *
 * A consumer keeps the servers of the last answer: when the registry does not answer it picks one of
 * them at random.
 */
import * as z from 'zod';
import { isFlowName } from '../flow/flow.ts';
import { parseEach } from '../rpc/parse-each.ts';
import { FlowLimitsSchema } from '../task/flow-limits.ts';
import { type Capabilities, type ServerRequirements, ServerRequirementsSchema } from '../task/server-requirements.ts';
import { isHookService } from '../webhook/hook.ts';
import { ServiceNameSchema } from './registration.ts';

const callId = z.string().min(1).max(64);

/** A service, the messages of a hook, or a flow. */
const RoutedServiceSchema = z.union([
  ServiceNameSchema,
  z.string().refine(isHookService),
  z.string().refine(isFlowName),
]);

const RoutedCallSchema = z.object({
  id: callId,
  service: RoutedServiceSchema,
  requirements: ServerRequirementsSchema.optional(),
  /** Of a flow: what the task says of it. */
  limits: FlowLimitsSchema.optional(),
  /** It cannot stand in a line, and does not come back after this, Unix ms. Absent: a task, which can. */
  patientUntil: z.number().optional(),
  /** How often it has waited before. */
  waits: z.number().int().min(0),
  /** It has waited where it is as long as it may: a place now, or a line. */
  mustNotWait: z.boolean().optional(),
  /** It runs already, without a place, and for long: its place is only counted. */
  isUnderWay: z.boolean().optional(),
});

const InvocationSchema = z.object({
  id: z.string().min(16).max(64),
  shard: z.number().int().min(0),
  /** Invocations of the shard that calls of one service may keep at a time (decision 0034). */
  most: z.number().int().min(1),
});
/** The consumer's invocation that asks. */
export type Invocation = z.output<typeof InvocationSchema>;

/** Of the object that looks after the calls' flows (`shardOfFlow`); absent: the calls are a service's. */
const FlowShardSchema = z.number().int().min(0);

const RouteRequestSchema = z.object({
  /** Names the calls of this batch when they are reported. The same one gets the same places (rule R22). */
  leaseId: z.string().min(16),
  /** When the last of its calls has ended for sure, Unix ms: a crashed consumer's places are freed then. */
  expiresAt: z.number(),
  /** Nobody reads an answer after this, Unix ms; absent from a consumer of an earlier release. */
  awaitedUntil: z.number().optional(),
  flowShard: FlowShardSchema.optional(),
  /** The answer may take a second when there is no place for any of the calls yet. */
  mayWait: z.boolean().optional(),
  /** Absent: nothing is shared, or the call is synchronous and keeps no invocation of the queue's. */
  invocation: InvocationSchema.optional(),
  calls: z.array(z.unknown()),
});
export type RouteRequest = Omit<z.output<typeof RouteRequestSchema>, 'calls'> & {
  readonly calls: z.output<typeof RoutedCallSchema>[];
};

/** A call that cannot be read gets no decision; the others get theirs (rule R21). */
export function readRouteRequest(request: unknown): RouteRequest {
  const { calls, ...rest } = RouteRequestSchema.parse(request);
  return { ...rest, calls: parseEach(RoutedCallSchema, calls, 'routed call') };
}

/** Where a service is called on one server. */
export interface ServerAddress {
  readonly id: string;
  /** Of the service on this server, without a slash at the end. */
  readonly baseUrl: string;
  /** For failover: the other server must meet the call's requirements too. */
  readonly tier: number;
  readonly capabilities: Capabilities;
}

/** True when the server is one that the call may run on. */
export function meetsRequirements(
  { tier, capabilities }: ServerAddress,
  requirements: ServerRequirements | undefined,
): boolean {
  if (requirements?.tier !== undefined && requirements.tier !== tier) return false;
  return Object.entries(requirements?.capabilities ?? {}).every(
    ([name, value]) => Object.hasOwn(capabilities, name) && capabilities[name] === value,
  );
}

/** Why a call gets no place now. */
export type RouteWait = 'no-server' | 'server-busy' | 'paused' | 'unreachable' | 'rate-limited' | 'flow-limited';

export type RouteDecision =
  /** `server` is undefined for a service with a fixed target, which only has its place counted. */
  | { readonly id: string; readonly is: 'routed'; readonly server: ServerAddress | undefined }
  /** It starts when that call of the same answer has been answered, in its place and at its server. */
  | { readonly id: string; readonly is: 'following'; readonly call: string }
  | {
      readonly id: string;
      readonly is: 'waiting';
      readonly why: RouteWait;
      /** Ask again then, Unix ms. */
      readonly until: number;
      readonly line?: undefined;
    }
  | {
      readonly id: string;
      readonly is: 'waiting';
      readonly why: RouteWait;
      /** It stands in this line, whose owner wakes it (rule R20). */
      readonly line: string;
      /** Nobody starts before, where that is known, Unix ms. */
      readonly until?: number;
    };

export interface RouteAnswer {
  readonly decisions: readonly RouteDecision[];
  /**
   * By service, every server that takes calls now, the emptiest first: for failover inside an attempt,
   * and for bad times.
   */
  readonly servers: Readonly<Record<string, readonly ServerAddress[]>>;
  /** By service: tasks stand in line for it, and until then (Unix ms) newcomers join its end without asking. */
  readonly lines: Readonly<Record<string, number>>;
  /** Version of the service definitions; a consumer with an older one reads them again. */
  readonly servicesVersion: number;
}

/** The most that a backend's word keeps everybody away from it. */
export const MAX_BUSY_MS = 600_000;

export const CallReportSchema = z.object({
  id: callId,
  service: RoutedServiceSchema,
  /** The server that was called last; absent for a fixed target, or when none was called. */
  server: z.string().optional(),
  /** Servers tried before it that could not be reached. */
  unreachableServers: z.array(z.string()).optional(),
  /**
   * `answered`: it works, whatever it said of the task. `failed`: a time-out, a broken connection, a
   * 5xx. `busy`: 429 or 503 with `Retry-After`. `unreachable`: nobody was there. `unused`: the call was not made.
   */
  outcome: z.enum(['answered', 'failed', 'busy', 'unreachable', 'unused']),
  /** Why it is `unreachable`, for people. */
  detail: z.string().optional(),
  /** The call had no place: its service has neither servers nor limits. */
  isUnplaced: z.boolean().optional(),
  /** Its task stands in the service's line now. */
  isParked: z.boolean().optional(),
  /** The backend has begun to answer and the call goes on: a circuit that it tries may close, its place stays. */
  isOngoing: z.boolean().optional(),
  durationMs: z.number().min(0),
  /** Of a busy server: when it may be called again, Unix ms. */
  busyUntil: z.number().optional(),
});
export type CallReport = z.output<typeof CallReportSchema>;

const CallReportsSchema = z.object({
  leaseId: z.string().min(16),
  flowShard: FlowShardSchema.optional(),
  reports: z.array(z.unknown()),
  /** The line of each task that was woken from it and asks for no place: it has ended, or waits for something else. */
  elsewhere: z.array(z.string()).optional(),
});

export type CallReports = Omit<z.output<typeof CallReportsSchema>, 'reports'> & { readonly reports: CallReport[] };

/** A report that cannot be read is left out: its call ends with the lease (rule R21). */
export function readCallReports(reports: unknown): CallReports {
  const { reports: elements, ...rest } = CallReportsSchema.parse(reports);
  return { ...rest, reports: parseEach(CallReportSchema, elements, 'call report') };
}

/** Nobody waits for the lease's answer any more; its places go back, and it gets none later (rule R22). */
export const AbandonedLeaseSchema = RouteRequestSchema.pick({ leaseId: true, expiresAt: true, flowShard: true });
export type AbandonedLease = z.output<typeof AbandonedLeaseSchema>;

/** All service definitions that were set at run time; those of wrangler.toml are known to everybody. */
export interface ServiceCatalog {
  readonly version: number;
  /** As they were put: parsed again by who reads them. */
  readonly services: Readonly<Record<string, unknown>>;
  /** Services whose tasks wait until they are resumed. */
  readonly paused: readonly string[];
  /** When those go on by themselves that do, Unix ms; absent in what an earlier release tells. */
  readonly pausedUntil?: Readonly<Record<string, number>>;
  /** Services without limits of their own whose calls are to be asked for all the same, for now. */
  readonly limited: readonly string[];
  /** When services were deleted, Unix ms; absent in what an earlier release tells. */
  readonly deleted?: Readonly<Record<string, number>>;
}

/** Places for calls, at services or in flows, and how they come back. */
export interface PlaceSession {
  route(request: RouteRequest): Promise<RouteAnswer>;
  reportCalls(reports: CallReports): Promise<void>;
  giveUp(lease: AbandonedLease): Promise<void>;
}

/** Definitions that were put at run time. */
export interface CatalogSession {
  /** @returns undefined when `known` is the current version */
  readServices(known: number): Promise<ServiceCatalog | undefined>;
}

/** The part of the ledger session that speaks with the registry. */
export interface RegistrySession extends PlaceSession, CatalogSession {}
