/**
 * What people and backends ask of a recorded task: cancel it, run it again, report on it. Each looks
 * at the row, asks the transition table, and writes under the guard of what it saw; when the row
 * moved in between it looks again.
 */

import { isSignatureOf } from '../shared/bodies/link.ts';
import { importMacKey } from '../shared/crypto/mac.ts';
import { parsedJson } from '../shared/json-text.ts';
import type {
  BackendLink,
  CallbackReport,
  CancelRequest,
  LedgerAnswer,
  Reporter,
  RetryRequest,
} from '../shared/ledger/rpc.ts';
import { logError } from '../shared/log.ts';
import { MAX_DEADLINE_SECONDS } from '../shared/service/definition.ts';
import { plantTombstone } from '../shared/store/cancellation.ts';
import { readRequests, readResult, readStates } from '../shared/store/read.ts';
import { type StateRow, stateOfRow } from '../shared/store/row.ts';
import { type Move, recordTransitions } from '../shared/store/transitions.ts';
import { type AttemptRecord, shorten, type TaskError } from '../shared/task/attempt.ts';
import { graceMs, retryDelayMs } from '../shared/task/backoff.ts';
import { taskCreatedAt } from '../shared/task/id.ts';
import { type Fallback, fallbackOf, TaskRequestSchema } from '../shared/task/request.ts';
import { attemptNumber, attemptsUsed, type TaskState } from '../shared/task/state.ts';
import { isTerminal } from '../shared/task/status.ts';
import { isSameBody } from '../shared/task/stored-body.ts';
import { type RefusalCode, type TaskEvent, transition } from '../shared/task/transition.ts';
import { callbackTokensOf, runOfCallbackToken } from './callback-token.ts';
import type { CallbackEnv } from './env.ts';
import { askRegistry } from './registry/asking.ts';
import { fallBack, wakeFallen } from './runs/fallback.ts';
import { tellEnds, toldMoves } from './runs/messages.ts';
import { retryMove } from './runs/retry-move.ts';
import { sendCancel, sendWakes } from './wake.ts';

/** A row that moves away this often between look and write is not met by people or backends. */
const MAX_LOOKS = 5;

const NOT_FOUND: LedgerAnswer = { ok: false, code: 'task-not-found', detail: 'There is no task with this id.' };

const WRONG_TOKEN: LedgerAnswer = {
  ok: false,
  code: 'unauthenticated',
  detail: 'The token does not belong to this task.',
};

const OTHER_RESULT: LedgerAnswer = {
  ok: false,
  code: 'task-finished',
  detail: 'The task has already succeeded with another result, which stays.',
};

/** A decision over the row as it stands: an answer at once, or a move and the answer if it holds. */
type Decision = { readonly answer: LedgerAnswer } | { readonly move: Move; readonly after?: () => Promise<void> };

export async function cancelTask(env: CallbackEnv, request: CancelRequest, now: number): Promise<LedgerAnswer> {
  if (request.plantTombstone && env.stores.has(request.id)) {
    const deadlineAt = taskCreatedAt(request.id) + MAX_DEADLINE_SECONDS * 1000;
    if (await plantTombstone(env.stores.of(request.id), { ...request, deadlineAt }, now))
      return { ok: true, status: 'cancelled', changed: true };
  }
  return lookAndMove(env, request.id, (row, state) => {
    if (state.status === 'cancelled') return { answer: { ok: true, status: 'cancelled', changed: false } };
    const decision = transition(state, { type: 'cancel', at: now });
    if (!decision.ok) {
      return { answer: { ok: false, code: 'task-finished', detail: `The task has already ended as ${state.status}.` } };
    }
    const move = { id: row.id, expected: { status: row.status, run: row.run }, next: decision.next };
    // A consumer that holds the task sees the cancellation itself; a backend that works on its own is told.
    return state.status === 'waiting'
      ? { move, after: () => sendCancel(env.taskQueues, row.id, row.service, row.server ?? undefined) }
      : { move };
  });
}

export async function retryTask(env: CallbackEnv, request: RetryRequest, now: number): Promise<LedgerAnswer> {
  const { id } = request;
  return lookAndMove(env, id, (row, state) => {
    const decision = transition(state, { type: 'retry', at: now, deadlineAt: request.deadlineAt ?? now });
    if (!decision.ok) {
      const detail = `The task is ${state.status}; only failed and expired tasks can be retried.`;
      return { answer: { ok: false, code: 'not-retryable', detail } };
    }
    const move = retryMove(row, { ...request, startAt: now }, now);
    if (move === undefined) {
      const since = new Date(row.bodies_deleted_at ?? now).toISOString();
      const detail = `The request was deleted on ${since} (BODY_RETENTION_DAYS); submit it again.`;
      return { answer: { ok: false, code: 'not-retryable', detail } };
    }
    return { move, after: () => sendWakes(env.taskQueues, [{ id, service: row.service, delayMs: 0 }]) };
  });
}

export async function acceptCallback(
  env: CallbackEnv,
  { id, token, report }: CallbackReport,
  now: number,
  random: number,
): Promise<LedgerAnswer> {
  const run = await runOfCallbackToken(env.tokenKey, id, token);
  if (run === undefined) return WRONG_TOKEN;

  return lookAndMove(env, id, async (row, state) => {
    if (report.status !== 'running' && row.settled_run === run && row.settled_verdict === report.status) {
      const isOther = report.status === 'succeeded' && (await isOtherResult(env, id, report));
      return { answer: isOther ? OTHER_RESULT : { ok: true, status: row.status, changed: false } };
    }
    const failureDelayMs = retryDelayMs(state.policy, Math.max(1, attemptsUsed(state)), random);
    const decision = transition(state, eventOf(report, run, now, failureDelayMs));
    if (!decision.ok) return { answer: refusal(decision.code, state, run) };
    const { next } = decision;
    const evidence = evidenceOf(report, run, state, next, now, failureDelayMs);
    const fallback = evidence.error && (await fallbackIn(env, row, evidence.error));
    const fallen = fallback && fallBack(id, state, next, { ...evidence, fallback }, now);
    if (fallen) return { move: fallen, after: () => wakeFallen(env, [fallen]) };
    const move = {
      id,
      expected: { status: row.status, run: row.run },
      next,
      ...evidence,
    };
    if (next.status !== 'retrying') {
      // The call that it overtook may stay open for long: its place is free.
      const isEarly = state.status === 'running' && isTerminal(next.status);
      return isEarly
        ? { move, after: () => askRegistry(env.serverRegistry, (registry) => registry.endTask(id)) }
        : { move };
    }
    return {
      move: { ...move, dueAt: next.nextAt + graceMs(0), sends: 1 },
      after: () => sendWakes(env.taskQueues, [{ id, service: row.service, delayMs: next.nextAt - now }]),
    };
  });
}

/** What the recorded request says of a failure; nothing when it cannot be read. */
async function fallbackIn(
  env: CallbackEnv,
  { id, service }: StateRow,
  error: TaskError,
): Promise<Fallback | undefined> {
  const text = (await readRequests(env.stores.of(id), [id])).get(id);
  const request = TaskRequestSchema.safeParse(parsedJson(text ?? '{}')).data;
  return request && fallbackOf(request, service, error);
}

/** A result that is no longer kept cannot be compared: the repeat is then taken for the same. */
async function isOtherResult(
  env: CallbackEnv,
  id: string,
  { result, storedResult }: Extract<CallbackReport['report'], { status: 'succeeded' }>,
): Promise<boolean> {
  const known = await readResult(env.stores.of(id), id);
  if (known === undefined) return false;
  const { content, stored } = known;
  if (stored !== undefined || storedResult !== undefined) {
    return stored === undefined || storedResult === undefined || !isSameBody(stored, storedResult);
  }
  if (content === undefined || result === undefined) return content !== result;
  return content.type !== result.type || content.encoding !== result.encoding || content.text !== result.text;
}

/** Large results are stored before they are reported: who may not report stores nothing. */
export async function mayReport(
  env: Pick<CallbackEnv, 'stores' | 'tokenKey'>,
  { id, token }: Reporter,
  now: number,
): Promise<LedgerAnswer> {
  const run = await runOfCallbackToken(env.tokenKey, id, token);
  if (run === undefined) return WRONG_TOKEN;
  const row = env.stores.has(id) ? (await readStates(env.stores.of(id), [id])).get(id) : undefined;
  if (row === undefined) return NOT_FOUND;
  // A repeat of what was taken already is compared with it.
  if (row.settled_verdict === 'succeeded' && run === row.settled_run) {
    return { ok: true, status: row.status, changed: false };
  }
  const state = stateOfRow(row);
  const decision = transition(state, { type: 'succeed', at: now, run });
  return decision.ok ? { ok: true, status: row.status, changed: false } : refusal(decision.code, state, run);
}

/** A link is signed with the token of its attempt. */
export async function isBackendLink(
  env: Pick<CallbackEnv, 'tokenKey'>,
  { id, run, claims, signature }: BackendLink,
): Promise<boolean> {
  const tokens = await callbackTokensOf(env.tokenKey, id, run);
  const checks = tokens.map(async (token) => isSignatureOf(await importMacKey(token), claims, signature));
  return (await Promise.all(checks)).includes(true);
}

async function lookAndMove(
  env: CallbackEnv,
  id: string,
  decide: (row: StateRow, state: TaskState) => Decision | Promise<Decision>,
): Promise<LedgerAnswer> {
  if (!env.stores.has(id)) return NOT_FOUND;
  const db = env.stores.of(id);
  for (let look = 0; look < MAX_LOOKS; look++) {
    const row = (await readStates(db, [id])).get(id);
    if (row === undefined) return NOT_FOUND;
    const decision = await decide(row, stateOfRow(row));
    if ('answer' in decision) return decision.answer;
    const moved = await recordTransitions(db, [decision.move]);
    if (!moved.has(id)) continue;
    env.statistics.noteMoves([decision.move], moved, Date.now());
    await followUp(id, decision.after);
    await tellEnds({ db, taskQueues: env.taskQueues }, toldMoves([decision.move], moved));
    const { next } = decision.move;
    return {
      ok: true,
      status: next.status,
      changed: true,
      ...(next.status === 'queued' && { deadlineAt: next.deadlineAt }),
    };
  }
  throw new Error(`task ${id} moved ${MAX_LOOKS} times while it was looked at`);
}

/** What follows a recorded move only hastens things: the sweeper does it too. */
async function followUp(id: string, after: (() => Promise<void>) | undefined): Promise<void> {
  try {
    await after?.();
  } catch (error) {
    logError('wake.failed', { id }, error);
  }
}

function eventOf(report: CallbackReport['report'], run: number, at: number, delayMs: number): TaskEvent {
  switch (report.status) {
    case 'succeeded':
      return { type: 'succeed', at, run };
    case 'failed':
      return { type: 'fail', at, run, retryable: report.retryable, delayMs };
    case 'running':
      return { type: 'progress', at, run };
  }
}

function evidenceOf(
  report: CallbackReport['report'],
  run: number,
  state: TaskState,
  next: TaskState,
  now: number,
  delayMs: number,
): Partial<Move> {
  switch (report.status) {
    case 'succeeded':
      return {
        settled: { run, status: 'succeeded' },
        ...(report.result !== undefined && { result: report.result }),
        ...(report.storedResult !== undefined && { storedResult: report.storedResult }),
      };
    case 'failed': {
      const error: TaskError = { class: 'callback', message: shorten(report.message) };
      const record: AttemptRecord = {
        run,
        attempt: attemptNumber(state),
        outcome: 'failed',
        startedAt: now,
        endedAt: now,
        error,
        ...(!isTerminal(next.status) && 'nextAt' in next && { nextAt: next.nextAt, delayMs, delayReason: 'backoff' }),
      };
      return { settled: { run, status: 'failed' }, error, record };
    }
    case 'running': {
      const { percent, message } = report;
      if (percent === undefined && message === undefined) return {};
      return {
        progress: {
          at: now,
          ...(percent !== undefined && { percent }),
          ...(message !== undefined && { message: shorten(message) }),
        },
      };
    }
  }
}

function refusal(code: RefusalCode, state: TaskState, run: number): LedgerAnswer {
  if (code === 'terminal') {
    return { ok: false, code: 'task-finished', detail: `The task has already ended as ${state.status}.` };
  }
  const detail =
    run === state.run
      ? `The task is ${state.status}; progress is taken while it waits for its callback, a failure while its run lasts.`
      : `This report is from run ${run}; the task is at run ${state.run}.`;
  return { ok: false, code: 'stale-attempt', detail };
}
