/**
 * The one way a recorded task moves (beside the claim): from an expected status and run to a next
 * state, one statement for any number of tasks. A move whose expectation no longer holds changes
 * nothing and is missing from the answer, so that its author looks again.
 */

import { type AttemptRecord, MAX_ATTEMPT_RECORDS, MAX_PROGRESS_REPORTS, type TaskError } from '../task/attempt.ts';
import type { Content } from '../task/content.ts';
import type { TaskState } from '../task/state.ts';
import { isTerminal } from '../task/status.ts';
import type { StoredBody } from '../task/stored-body.ts';
import { jsonParameters, ROWS } from './parameter.ts';
import type { StateRow } from './row.ts';
import { leaveTurns, type Park, PLACED, takeTurns } from './turns.ts';

export interface Move {
  readonly id: string;
  /** The row must still stand here. */
  readonly expected: Pick<StateRow, 'status' | 'run'> & { readonly dueAt?: number };
  readonly next: TaskState;
  /** When the sweeper shall look at it, unless the state says it (`ownDueAt`). */
  readonly dueAt?: number;
  /** Wake-ups sent since the last claim. */
  readonly sends?: number;
  /** How long the task was given at first, milliseconds; kept once it is known. */
  readonly lifeMs?: number;
  /** The run whose outcome this is, and what it said: a repeated report is recognised by it (R17). */
  readonly settled?: { readonly run: number; readonly status: 'succeeded' | 'failed' };
  /** The registered server that works on the task. */
  readonly server?: string;
  readonly record?: AttemptRecord;
  /** Of a task that is parked: when, and whether it stood in this line before and was released (`turns.ts`). */
  readonly park?: { readonly at: number; readonly isAgain: boolean; readonly isBehind?: boolean };
  /** The service that takes the task from now on. */
  readonly service?: string;
  /** The one that had it until then, for whoever counts its attempts. */
  readonly from?: string;
  readonly error?: TaskError;
  readonly result?: Content;
  /** Instead of `result`. */
  readonly storedResult?: StoredBody;
  readonly progress?: { readonly at: number; readonly percent?: number; readonly message?: string };
}

/** The latest reports, this one last. */
const PROGRESS_LOG = `json_insert(CASE
    WHEN coalesce(json_array_length(tasks.progress, '$.log'), 0) >= ${MAX_PROGRESS_REPORTS}
      THEN json_remove(tasks.progress->'$.log', '$[0]')
    ELSE coalesce(tasks.progress->'$.log', '[]') END, '$[#]', json(move.progress))`;

/** The timeline with the move's record at its end. The first one needs nothing taken apart. */
const WITH_RECORD = `CASE WHEN tasks.history = '[]' THEN '[' || move.record || ']' ELSE json_insert(
      CASE WHEN json_array_length(tasks.history) >= ${MAX_ATTEMPT_RECORDS}
        THEN json_remove(tasks.history, '$[0]') ELSE tasks.history END,
      '$[#]', json(move.record)) END`;

/** @param placed where places were taken: `placed` says them */
const record = ({ placed }: { readonly placed: boolean }) => `${placed ? PLACED : ''}
  UPDATE tasks SET
    status = move.status,
    service = coalesce(move.service, tasks.service),
    deferrals = move.deferrals,
    attempts_offset = move.attempts_offset,
    deadline_at = move.deadline_at,
    -- Only a re-sent wake-up leaves a run as it is: its lease has run out, and the next claim sees that.
    lease_until = CASE WHEN move.status = 'running' THEN tasks.lease_until END,
    -- While the task may be claimed again, so that the last claim, landing once more, is known (rule R13).
    nonce = CASE WHEN move.finished_at IS NULL THEN tasks.nonce END,
    next_at = move.next_at,
    due_at = move.due_at,
    sends = move.sends,
    reason = move.reason,
    parked_for = move.parked_for,
    place = CASE WHEN move.parked_for IS NOT NULL THEN ${placed ? 'coalesce(placed.places->>move.id, tasks.place)' : 'tasks.place'} END,
    waits_since = ${placed ? 'CASE WHEN move.parked_for IS NOT NULL THEN ?3 END' : 'NULL'},
    released_at = NULL,
    server = CASE WHEN move.status = 'waiting' THEN coalesce(move.server, tasks.server) END,
    callback_timeout_ms = move.callback_timeout_ms,
    settled_run = coalesce(move.settled_run, tasks.settled_run),
    settled_verdict = coalesce(move.settled_verdict, tasks.settled_verdict),
    finished_at = move.finished_at,
    life_ms = coalesce(tasks.life_ms, move.life_ms),
    failures = tasks.failures + move.failed,
    -- A report changes what it speaks of: one without a percentage keeps the last.
    progress = CASE WHEN move.progress IS NULL THEN tasks.progress
      ELSE json_set(json_patch(coalesce(tasks.progress, '{}'), move.progress), '$.log', json(${PROGRESS_LOG})) END,
    error = CASE WHEN move.keep_error THEN tasks.error ELSE move.error END,
    history = CASE WHEN move.record IS NULL THEN tasks.history ELSE ${WITH_RECORD} END,
    result_type = move.result_type,
    result_encoding = move.result_encoding,
    result = move.result,
    result_stored = move.result_stored
  FROM (
    SELECT value->>'id' AS id, value->>'expectedStatus' AS expected_status, value->>'expectedRun' AS expected_run,
      value->>'expectedDueAt' AS expected_due_at, value->>'status' AS status, value->>'service' AS service, value->>'deferrals' AS deferrals,
      value->>'attemptsOffset' AS attempts_offset, value->>'deadlineAt' AS deadline_at, value->>'nextAt' AS next_at,
      value->>'dueAt' AS due_at, value->>'sends' AS sends, value->>'reason' AS reason, value->>'parkedFor' AS parked_for,
      value->>'server' AS server,
      value->>'callbackTimeoutMs' AS callback_timeout_ms, value->>'settledRun' AS settled_run,
      value->>'settledStatus' AS settled_verdict, value->>'finishedAt' AS finished_at, value->>'failed' AS failed,
      value->'progress' AS progress, value->>'keepError' AS keep_error, value->'error' AS error,
      value->'record' AS record, value->>'resultType' AS result_type, value->>'resultEncoding' AS result_encoding,
      value->>'result' AS result, value->'storedResult' AS result_stored, value->>'lifeMs' AS life_ms
    FROM ${ROWS}
  ) AS move${placed ? ' CROSS JOIN placed' : ''}
  WHERE tasks.id = move.id AND tasks.status = move.expected_status AND tasks.run = move.expected_run
    AND (move.expected_due_at IS NULL OR tasks.due_at = move.expected_due_at)
    -- Without its request a task cannot run again.
    AND (move.finished_at IS NOT NULL OR tasks.bodies_deleted_at IS NULL)
  RETURNING tasks.id, tasks.subject, tasks.service,
    (tasks.on_complete IS NOT NULL OR tasks.group_name IS NOT NULL) AS is_told`;

/**
 * The success of a run, which is what becomes of nearly every task: what `record` would make of such a move, with a
 * third of its parameters and at half its price (7 µs a task beside 13). What a run does not change is left alone:
 * policy, deadline and counts are those that the claim of this very run found.
 */
const SUCCEED = `
  UPDATE tasks SET
    status = 'succeeded',
    lease_until = NULL,
    nonce = NULL,
    next_at = NULL,
    due_at = NULL,
    sends = 0,
    reason = NULL,
    parked_for = NULL,
    place = NULL,
    released_at = NULL,
    server = NULL,
    callback_timeout_ms = NULL,
    settled_run = tasks.run,
    settled_verdict = 'succeeded',
    finished_at = move.finished_at,
    error = NULL,
    history = CASE WHEN move.record IS NULL THEN tasks.history ELSE ${WITH_RECORD} END,
    result_type = move.result_type,
    result_encoding = move.result_encoding,
    result = move.result,
    result_stored = NULL
  FROM (
    SELECT value->>0 AS id, value->>1 AS run, value->>2 AS finished_at, value->>3 AS record, value->>4 AS result_type,
      value->>5 AS result_encoding, value->>6 AS result
    FROM ${ROWS}
  ) AS move
  WHERE tasks.id = move.id AND tasks.status = 'running' AND tasks.run = move.run
  RETURNING tasks.id, tasks.subject, tasks.service,
    (tasks.on_complete IS NOT NULL OR tasks.group_name IS NOT NULL) AS is_told`;

const RECORD = record({ placed: false });
const PARK = record({ placed: true });

/** Whose task moved, for which backend, and (1) whether somebody may be told of its end, or of that of its group. */
export type MovedRow = Pick<StateRow, 'id' | 'subject' | 'service'> & { readonly is_told: number };

/** @returns the tasks that moved, by id */
export async function recordTransitions(db: D1Database, moves: readonly Move[]): Promise<Map<string, MovedRow>> {
  const { first, moving } = transitionStatements(db, moves);
  const [only] = moving;
  if (only === undefined) return new Map();
  const rows =
    first.length + moving.length === 1
      ? (await only.all<MovedRow>()).results
      : (await db.batch<MovedRow>([...first, ...moving])).slice(first.length).flatMap(({ results }) => results);
  return new Map(rows.map((row) => [row.id, row]));
}

/** @returns for one transaction: what comes first, and the statements that move tasks and return them */
export function transitionStatements(
  db: D1Database,
  moves: readonly Move[],
): { readonly first: readonly D1PreparedStatement[]; readonly moving: readonly D1PreparedStatement[] } {
  const parks = moves.flatMap(parkOf);
  const leaving = moves.filter(({ expected, next }) => expected.status === 'deferred' && isTerminal(next.status));
  const parkedAt = Math.max(0, ...moves.map(({ park }) => park?.at ?? 0));
  const { plain = [], other = [] } = Object.groupBy(moves, (move) => (isPlainSuccess(move) ? 'plain' : 'other'));
  const parameters = jsonParameters(other.map(moveParameter));
  return {
    first: [
      ...(parks.length > 0 ? [takeTurns(db, parks, parkedAt)] : []),
      ...(leaving.length > 0
        ? [
            leaveTurns(
              db,
              leaving.map(({ id }) => id),
            ),
          ]
        : []),
    ],
    moving: [
      ...jsonParameters(plain.map(successParameter)).map((parameter) => db.prepare(SUCCEED).bind(parameter)),
      ...parameters.map((parameter) =>
        parks.length > 0
          ? db.prepare(PARK).bind(parameter, JSON.stringify(parks), parkedAt)
          : db.prepare(RECORD).bind(parameter),
      ),
    ],
  };
}

/** Of the run that the row is in, and all that it says is the result and its record. */
function isPlainSuccess(move: Move): boolean {
  const { expected, next, settled, record } = move;
  const isOfRun = settled?.run === expected.run && settled.status === 'succeeded';
  const saysNoMore = Object.keys(move).every((name) => PLAIN.has(name)) && expected.dueAt === undefined;
  return (
    next.status === 'succeeded' &&
    expected.status === 'running' &&
    isOfRun &&
    saysNoMore &&
    record?.outcome !== 'failed'
  );
}

const PLAIN: ReadonlySet<string> = new Set([
  'id',
  'expected',
  'next',
  'settled',
  'record',
  'result',
] satisfies (keyof Move)[]);

/** In the order in which `SUCCEED` reads it. */
function successParameter({ id, expected, next, record, result }: Move): unknown[] {
  const finishedAt = 'finishedAt' in next ? next.finishedAt : undefined;
  return [id, expected.run, finishedAt, record, result?.type, result?.encoding, result?.text];
}

function parkOf({ id, expected, next, park }: Move): Park[] {
  if (park === undefined || !('parkedFor' in next) || next.parkedFor === undefined) return [];
  const again = park.isAgain && { isAgain: true as const, ...(park.isBehind && { isBehind: true as const }) };
  return [{ id, run: expected.run, line: next.parkedFor, ...again }];
}

/** When the sweeper looks at a task that no message carries: its callback is overdue, its event did not come. */
export function ownDueAt(state: TaskState): number | undefined {
  if ('callbackUntil' in state) return state.callbackUntil;
  return 'parkedFor' in state && state.parkedFor !== undefined ? state.nextAt : undefined;
}

/** Capped by the deadline (rule R4): what would be due after it belongs to no kind of the sweep's work. */
function cappedDueAt({ next, dueAt }: Move): number | undefined {
  const due = isTerminal(next.status) ? undefined : (ownDueAt(next) ?? dueAt);
  return due === undefined ? undefined : Math.min(due, next.deadlineAt);
}

/** Absent fields are left out of the JSON, and so are NULL in the statement. */
function moveParameter(move: Move): Record<string, unknown> {
  const { next, expected, settled, result } = move;
  return {
    id: move.id,
    expectedStatus: expected.status,
    expectedRun: expected.run,
    expectedDueAt: expected.dueAt,
    status: next.status,
    service: move.service,
    deferrals: next.deferrals,
    attemptsOffset: next.attemptsOffset,
    deadlineAt: next.deadlineAt,
    nextAt: 'nextAt' in next ? next.nextAt : undefined,
    dueAt: cappedDueAt(move),
    sends: move.sends ?? 0,
    lifeMs: move.lifeMs,
    reason: 'reason' in next ? next.reason : undefined,
    parkedFor: 'parkedFor' in next ? next.parkedFor : undefined,
    callbackTimeoutMs: 'callbackTimeoutMs' in next ? next.callbackTimeoutMs : undefined,
    server: move.server,
    settledRun: settled?.run,
    settledStatus: settled?.status,
    finishedAt: 'finishedAt' in next ? next.finishedAt : undefined,
    failed: move.record?.outcome === 'failed' ? 1 : 0,
    progress: move.progress,
    // The last error stays readable until the task succeeds or is run again.
    keepError: move.error === undefined && next.status !== 'succeeded' && next.status !== 'queued' ? 1 : 0,
    error: move.error,
    record: move.record,
    resultType: result?.type,
    resultEncoding: result?.encoding,
    result: result?.text,
    storedResult: move.storedResult,
  };
}
