/**
 * The server registry as batch and synchronous route ask it: a question has an id, may be repeated (rule R22),
 * and what is answered to nobody goes back by it. An outage of the registry degrades to servers last known.
 */

import pRetry from 'p-retry';
import { awaitedUntil } from '../../shared/awaited.ts';
import type { LeaseAnswer } from '../../shared/capacity/lease.ts';
import { logError, logWarning } from '../../shared/log.ts';
import type {
  CallReport,
  CallReports,
  PlaceSession,
  RouteDecision,
  RouteRequest,
  RouteWait,
  ServerAddress,
} from '../../shared/registry/routing.ts';
import { isRouted, needsServer, type ServiceDefinition } from '../../shared/service/definition.ts';
import type { ServerRequirements } from '../../shared/task/server-requirements.ts';
import { withinMs } from '../../shared/time-limit.ts';
import type { Outcome } from '../call/answer/outcome.ts';
import type { CatalogEnv, PlaceEnv } from './capacity-env.ts';

/** Well within the slack of a task's lease. */
const PATIENCE_MS = 2_000;
const RETRIES = { retries: 1, minTimeout: 50, shouldRetry: () => true };

/** True when the registry has a say in where and when the service is called. */
export function asksRegistry(
  { known }: Pick<CatalogEnv, 'known'>,
  name: string,
  service: ServiceDefinition | undefined,
): boolean {
  return service !== undefined && (isRouted(service) || known.isPaused(name) || known.isLimited(name));
}

export interface PlaceGrant {
  /** Undefined for a service with a fixed target, which only has its place counted. */
  readonly server?: ServerAddress | undefined;
  /** It starts when that call of the same answer has been answered, in its place and at its server. */
  readonly after?: string;
}

export interface PlaceAnswers {
  readonly answers: readonly LeaseAnswer<PlaceGrant, RouteWait>[];
  /** Of the definitions; a consumer with an older one reads them again. */
  readonly servicesVersion: number;
}

/** @returns undefined when the registry does not answer in time: then no place of the lease stays taken */
export async function askForPlaces(
  env: PlaceEnv,
  session: PlaceSession,
  request: RouteRequest,
): Promise<PlaceAnswers | undefined> {
  const { leaseId, expiresAt, flowShard, calls } = request;
  try {
    const ask = () => session.route({ ...request, awaitedUntil: awaitedUntil(expiresAt) });
    const answer = await pRetry(() => withinMs(ask(), PATIENCE_MS, 'the registry'), RETRIES);
    const { decisions, servers, lines, servicesVersion } = answer;
    env.servers.note(servers, Date.now());
    env.servers.noteLines(lines);
    const answers = decisions.flatMap((decision) => answerOf(decision) ?? []);
    await releaseUnread(env, session, request, answers);
    return { answers, servicesVersion };
  } catch (error) {
    logError('registry.unavailable', { shard: env.shard, tasks: calls.length }, error);
    // The answer may still come, and places with it: they go back, and the lease gets no others.
    const abandoned = session.giveUp({ leaseId, expiresAt, flowShard });
    await withinMs(abandoned, PATIENCE_MS, 'the registry').catch((cause: unknown) => {
      logWarning('registry.unreported', { shard: env.shard, calls: 0, cause: String(cause) });
    });
    return undefined;
  }
}

/** The registry may be of another release: a place that it gave in words that cannot be read goes back at once. */
async function releaseUnread(
  env: PlaceEnv,
  session: PlaceSession,
  { leaseId, flowShard, calls }: RouteRequest,
  answers: PlaceAnswers['answers'],
): Promise<void> {
  if (answers.length === calls.length) return;
  const read = new Set(answers.map(({ task }) => task));
  const unread = calls.filter(({ id }) => !read.has(id));
  logError('registry.unreadable', { shard: env.shard, tasks: unread.length });
  const reports = unread.map(({ id, service }): CallReport => ({ id, service, outcome: 'unused', durationMs: 0 }));
  await reportPlaces(env, session, { leaseId, flowShard, reports });
}

/** In the words of every lender: its own are read by consumers of another release (decision 0021). */
function answerOf(decision: RouteDecision): PlaceAnswers['answers'][number] | undefined {
  const { id: task } = decision;
  switch (decision.is) {
    case 'routed':
      return { task, kind: 'granted', server: decision.server };
    case 'following':
      return { task, kind: 'granted', after: decision.call };
    case 'waiting': {
      const { why: reason } = decision;
      return decision.line === undefined
        ? { task, kind: 'start-at', at: decision.until, reason }
        : { task, kind: 'park', line: decision.line, reason, until: decision.until };
    }
    default:
      return undefined;
  }
}

export function deferredFor(reason: RouteWait, retryAfterMs: number): Extract<Outcome, { kind: 'deferred' }> {
  return { kind: 'deferred', reason, retryAfterMs, placedBy: 'registry' };
}

/** Never rejects: the registry takes calls that it hears nothing of as ended when their lease is over. */
export async function reportPlaces(
  { shard }: Pick<PlaceEnv, 'shard'>,
  session: PlaceSession,
  reports: CallReports,
): Promise<void> {
  try {
    await pRetry(() => withinMs(session.reportCalls(reports), PATIENCE_MS, 'the registry'), RETRIES);
  } catch (error) {
    logWarning('registry.unreported', { shard, calls: reports.reports.length, cause: String(error) });
  }
}

export type Unregistered =
  /** `servers`: undefined for a fixed target. Nobody counts its place. */
  | { readonly kind: 'goes'; readonly servers: readonly ServerAddress[] | undefined }
  | { readonly kind: 'waits'; readonly why: RouteWait };

/**
 * What becomes of a call while the registry does not answer: it goes to its fixed target, or to a server last known,
 * uncounted; unless the service has a limit, which nobody would keep then.
 */
export function withoutRegistry(
  env: PlaceEnv,
  name: string,
  requirements: ServerRequirements | undefined,
): Unregistered {
  const service = env.known.find(name);
  if (env.known.isPaused(name)) return { kind: 'waits', why: 'paused' };
  if (service?.maxConcurrency !== undefined || service?.requestsPerSecond !== undefined) {
    return { kind: 'waits', why: 'server-busy' };
  }
  if (service === undefined || !needsServer(service)) return { kind: 'goes', servers: undefined };
  const servers = env.servers.pick(name, requirements, Date.now(), Math.random);
  return servers.length === 0 ? { kind: 'waits', why: 'no-server' } : { kind: 'goes', servers };
}
