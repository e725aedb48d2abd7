/**
 * What a batch asks of the ledger before it calls anybody: each task is leased for as long as it may wait for
 * its turn and run. Bodies may be large and the callback Worker has little memory for many batches at once,
 * so a batch claims in parts by bytes; the nonce makes each part repeatable (rule R13).
 */
import pRetry from 'p-retry';
import { awaitedUntil } from '../../shared/awaited.ts';
import type { Claim, ClaimSession, Denial, Grant } from '../../shared/ledger/contract.ts';
import { logError } from '../../shared/log.ts';
import type { Services } from '../../shared/service/definition.ts';
import { requestColumns } from '../../shared/store/request-columns.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { type TaskRequest, TaskRequestSchema } from '../../shared/task/request.ts';
import { sharedPolicy } from '../../shared/task/shared-policy.ts';
import type { Call } from '../call/call.ts';
import { leaseMs, queueingMs } from '../call/lease.ts';

import type { WaitingTask } from './inbox.ts';

/** Characters of bodies in one question and its answer. Bodies have the inline limit, so a batch of ten is one part. */
const MAX_PART_CHARS = 1_000_000;

/** The lease of a task whose service this release does not know: it will only be deferred. */
const UNKNOWN_SERVICE_TIMEOUT_MS = 30_000;

const RETRIES = { retries: 2, minTimeout: 200, shouldRetry: () => true };

/** What claiming needs of a consumer. */
interface ClaimEnv {
  readonly shard: string;
  readonly services: Services;
  /** Calls over the network that one invocation may have under way. */
  readonly connections: number;
}

/**
 * @param delivered how long messages were in the queue, ms
 * @returns the ledger's answers; tasks of a part that it did not answer have none, and their messages come again
 */
export async function claimTasks(
  env: ClaimEnv,
  ledger: Pick<ClaimSession, 'claim'>,
  messages: readonly WaitingTask[],
  delivered?: readonly number[],
): Promise<(Grant | Denial)[]> {
  const nonce = crypto.randomUUID();
  const answers: (Grant | Denial)[] = [];
  let queueMs = delivered;
  for (const claims of partsOf(claimsOf(env, messages))) {
    const batch = { nonce, claims, ...(queueMs !== undefined && { delivered: { shard: env.shard, ms: queueMs } }) };
    // Said once, by the first part.
    queueMs = undefined;
    try {
      const ask = () => ledger.claim({ ...batch, awaitedUntil: awaitedUntil() });
      answers.push(...(await pRetry(ask, RETRIES)));
    } catch (error) {
      logError('claim.failed', { shard: env.shard, tasks: claims.length }, error);
    }
  }
  return answers;
}

/** Each part fits, but for one claim that is larger by itself. */
function partsOf(claims: readonly Claim[]): Claim[][] {
  const parts: Claim[][] = [];
  let chars = Number.POSITIVE_INFINITY;
  for (const claim of claims) {
    const more = charsOf(claim);
    if (chars + more > MAX_PART_CHARS) {
      parts.push([]);
      chars = 0;
    }
    parts.at(-1)?.push(claim);
    chars += more;
  }
  return parts;
}

/** A wake-up's answer brings the body, whose size only the row knows. */
function charsOf({ task }: Claim): number {
  return task === undefined ? MAX_INLINE_BYTES / 2 : (task.body?.length ?? 0) + 1_000;
}

function claimsOf(env: ClaimEnv, messages: readonly WaitingTask[]): Claim[] {
  const isBound = (message: WaitingTask) => env.services[serviceOf(message)]?.binding !== undefined;
  const taking = messages.filter((message) => !isBound(message)).map((message) => timeoutMsOf(env, message));
  const queueMs = queueingMs(taking, env.connections);
  return messages.map((message) =>
    claimOf(message, leaseMs(timeoutMsOf(env, message), isBound(message) ? 0 : queueMs)),
  );
}

function timeoutMsOf(env: ClaimEnv, message: WaitingTask): number {
  const service = env.services[serviceOf(message)];
  return service === undefined ? UNKNOWN_SERVICE_TIMEOUT_MS : service.timeoutSeconds * 1000;
}

function claimOf(message: WaitingTask, lease: number): Claim {
  if (message.kind === 'wake') return { id: message.id, leaseMs: lease };
  const { id, subject, service, deadlineAt, labels, ref, onComplete, request } = message.task;
  const policy = sharedPolicy(message.task.policy);
  const task = { subject, service, policy, deadlineAt, labels, ref, onComplete, ...requestColumns(request) };
  return { id, leaseMs: lease, task };
}

/** @returns the call, and what is wrong with its request when a wake-up's row cannot be read by this release */
export function callOf(
  { id, state, service, callbackToken, request }: Grant,
  message: WaitingTask,
): { readonly call: Call; readonly problem?: string } {
  const line = message.kind === 'wake' ? message.line : undefined;
  const base = {
    id,
    service: service ?? serviceOf(message),
    state,
    callbackToken,
    ...(line !== undefined && { line }),
  };
  if (message.kind === 'task') return { call: { ...base, request: message.task.request } };
  const recorded = readRequest(request);
  if (recorded !== undefined) return { call: { ...base, request: recorded } };
  return { call: { ...base, request: {} }, problem: 'The recorded request cannot be read by this release.' };
}

/** A wake-up's request comes from the row, which another release may have written. */
function readRequest(recorded: string | undefined): TaskRequest | undefined {
  try {
    return TaskRequestSchema.safeParse(JSON.parse(recorded ?? '{}')).data;
  } catch {
    return undefined;
  }
}

export function idOf(message: WaitingTask): string {
  return message.kind === 'task' ? message.task.id : message.id;
}

export function serviceOf(message: WaitingTask): string {
  return message.kind === 'task' ? message.task.service : message.service;
}
