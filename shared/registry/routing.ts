/**
 * What a consumer asks of the server registry, through its ledger session: a server for each call of
 * a batch, and afterwards how the calls went. One question and one report a batch (a long batch
 * reports in between), so the registry's object is asked twice for a hundred tasks.
 *
 * A consumer keeps the servers of the last answer: when the registry does not answer it picks one of
 * them at random.
 */
import * as z from 'zod';
import { parseEach } from '../rpc/parse-each.ts';
import { type Capabilities, type ServerWishes, ServerWishesSchema } from '../task/server-wishes.ts';
import { ServiceNameSchema } from './registration.ts';

const callId = z.string().min(1).max(64);

const RoutedCallSchema = z.object({
  id: callId,
  service: ServiceNameSchema,
  wishes: ServerWishesSchema.optional(),
  /** It does not come back after this, Unix ms: no later place is kept for it. Absent: it does. */
  patientUntil: z.number().optional(),
  /** How often it has waited before. */
  waits: z.number().int().min(0),
});

const RouteRequestSchema = z.object({
  /** Names the calls of this batch when they are reported. */
  block: z.string().min(16),
  /** When the last of its calls has ended for sure, Unix ms: a crashed consumer's places are freed then. */
  expiresAt: z.number(),
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
  /** For failover: the other server must meet the call's wishes too. */
  readonly tier: number;
  readonly capabilities: Capabilities;
}

/** True when the server is one that the call may run on. */
export function meetsWishes({ tier, capabilities }: ServerAddress, wishes: ServerWishes | undefined): boolean {
  if (wishes?.tier !== undefined && wishes.tier !== tier) return false;
  return Object.entries(wishes?.capabilities ?? {}).every(
    ([name, value]) => Object.hasOwn(capabilities, name) && capabilities[name] === value,
  );
}

/** Why a call gets no server now. */
export type RouteWait = 'no-server' | 'server-busy' | 'paused';

export type RouteDecision =
  /** `server` is undefined for a service with a fixed target, which only has its place counted. */
  | { readonly id: string; readonly is: 'routed'; readonly server: ServerAddress | undefined }
  /**
   * Look again at `until` (Unix ms). `parked`: nobody knows when; an event wakes the task, and `until`
   * is the fallback (rule R20).
   */
  | {
      readonly id: string;
      readonly is: 'waiting';
      readonly why: RouteWait;
      readonly until: number;
      readonly parked: boolean;
    };

export interface RouteAnswer {
  readonly decisions: readonly RouteDecision[];
  /**
   * By service, every server that takes calls now, the emptiest first: for failover inside an attempt,
   * and for bad times.
   */
  readonly servers: Readonly<Record<string, readonly ServerAddress[]>>;
  /** Version of the service definitions; a consumer with an older one reads them again. */
  readonly servicesVersion: number;
}

export const CallReportSchema = z.object({
  id: callId,
  service: ServiceNameSchema,
  /** The server that was called last; absent for a fixed target, or when none was called. */
  server: z.string().optional(),
  /** Servers tried before it that could not be reached. */
  unreached: z.array(z.string()).optional(),
  /**
   * `answered`: it works, whatever it said of the task. `failed`: a time-out, a broken connection, a
   * 5xx. `busy`: 429 or 503 with `Retry-After`. `unused`: the call was not made.
   */
  outcome: z.enum(['answered', 'failed', 'busy', 'unused']),
  /** The backend has begun to answer and the call goes on: a circuit that it tries may close, its place stays. */
  isOngoing: z.boolean().optional(),
  durationMs: z.number().min(0),
  /** Of a busy server: when it may be called again, Unix ms. */
  busyUntil: z.number().optional(),
});
export type CallReport = z.output<typeof CallReportSchema>;

const CallReportsSchema = z.object({ block: z.string().min(16), reports: z.array(z.unknown()) });

export interface CallReports {
  readonly block: string;
  readonly reports: CallReport[];
}

/** A report that cannot be read is left out: its call ends with the block (rule R21). */
export function readCallReports(reports: unknown): CallReports {
  const { block, reports: elements } = CallReportsSchema.parse(reports);
  return { block, reports: parseEach(CallReportSchema, elements, 'call report') };
}

/** All service definitions that were set at run time; those of wrangler.toml are known to everybody. */
export interface ServiceBook {
  readonly version: number;
  /** As they were put: parsed again by who reads them. */
  readonly services: Readonly<Record<string, unknown>>;
  /** Services whose tasks wait until they are resumed. */
  readonly paused: readonly string[];
}

/** The part of the ledger session that speaks with the registry. */
export interface RegistrySession {
  route(request: RouteRequest): Promise<RouteAnswer>;
  reportCalls(reports: CallReports): Promise<void>;
  /** @returns undefined when `known` is the current version */
  readServices(known: number): Promise<ServiceBook | undefined>;
}
