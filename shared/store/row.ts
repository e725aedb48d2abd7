/**
 * Rows of the table `tasks` as TypeScript sees them, and the task state in a row. JSON columns are
 * text here; who shows them parses them.
 */
import { sharedPolicy } from '../task/shared-policy.ts';
import type { DeferralReason, StateFields, TaskState } from '../task/state.ts';
import { heldFields, type TaskStatus, type TerminalStatus } from '../task/status.ts';

/** The columns from which a task's state is read. */
export const STATE_COLUMNS =
  'id, subject, service, status, run, deferrals, attempts_offset, max_attempts, base_seconds, cap_seconds, deadline_at, ' +
  'lease_until, next_at, due_at, sends, reason, parked_for, server, callback_timeout_ms, settled_run, settled_verdict, ' +
  'finished_at, bodies_deleted_at, life_ms';

export interface StateRow {
  id: string;
  subject: string;
  service: string;
  status: TaskStatus;
  run: number;
  deferrals: number;
  attempts_offset: number;
  max_attempts: number;
  base_seconds: number;
  cap_seconds: number;
  deadline_at: number;
  lease_until: number | null;
  next_at: number | null;
  due_at: number | null;
  sends: number;
  reason: DeferralReason | null;
  /** The line in which it stands (`shared/capacity/line.ts`). */
  parked_for: string | null;
  /** The registered server that works on a task which waits for its callback. */
  server: string | null;
  callback_timeout_ms: number | null;
  settled_run: number | null;
  settled_verdict: 'succeeded' | 'failed' | null;
  finished_at: number | null;
  /** When request, result and timeline were deleted (`BODY_RETENTION_DAYS`). */
  bodies_deleted_at: number | null;
  life_ms: number | null;
}

/** The columns that say how a claimed task stands: it runs, or it has ended. */
export const CLAIMED_COLUMNS =
  'id, subject, service, status, run, deferrals, attempts_offset, max_attempts, base_seconds, cap_seconds, deadline_at, lease_until, finished_at, reason, waits_since, ' +
  '(on_complete IS NOT NULL OR group_name IS NOT NULL) AS is_told';

export type ClaimedRow = Pick<
  StateRow,
  | 'id'
  | 'subject'
  | 'service'
  | 'run'
  | 'deferrals'
  | 'attempts_offset'
  | 'max_attempts'
  | 'base_seconds'
  | 'cap_seconds'
  | 'deadline_at'
  | 'lease_until'
  | 'finished_at'
  | 'reason'
> & {
  /** Since when it had waited for `reason`, Unix ms; null: it had not, or nobody knows. */
  waits_since: number | null;
  status: 'running' | TerminalStatus;
  /** 1: somebody may be told of its end, or of that of its group. */
  is_told: number;
};

/** What a list shows of a task, and no more: each column of a row costs a poll half a microsecond on its way through D1. */
export const SUMMARY_COLUMNS =
  'id, subject, service, status, run, deferrals, attempts_offset, max_attempts, deadline_at, next_at, due_at, reason, parked_for, ' +
  'finished_at, bodies_deleted_at, started_at, failures, progress, labels, error, ref, on_complete, group_name';

export interface TaskSummaryRow
  extends Pick<
    StateRow,
    | 'id'
    | 'subject'
    | 'service'
    | 'status'
    | 'run'
    | 'deferrals'
    | 'attempts_offset'
    | 'max_attempts'
    | 'deadline_at'
    | 'next_at'
    | 'due_at'
    | 'reason'
    | 'parked_for'
    | 'finished_at'
    | 'bodies_deleted_at'
  > {
  started_at: number | null;
  failures: number;
  progress: string | null;
  labels: string | null;
  error: string | null;
  ref: string | null;
  /** `BoundHook`, as JSON. */
  on_complete: string | null;
  group_name: string | null;
}

/** Everything that a poll shows. */
export const DETAIL_COLUMNS = `${SUMMARY_COLUMNS}, history, result_type, result_encoding, result, result_stored, request, request_body, place`;

export interface TaskRow extends TaskSummaryRow {
  history: string;
  result_type: string | null;
  result_encoding: 'json' | 'text' | 'base64' | null;
  result: string | null;
  /** Where the result lies that is too large for the row: a `StoredBody` as JSON. */
  result_stored: string | null;
  /** The request as JSON; the text of its body is in `request_body`. */
  request: string | null;
  request_body: string | null;
  /** In its line. */
  place: number | null;
}

/**
 * The state in a row. The table's CHECKs tie each status to its columns, so a missing one is a
 * corrupt row and throws.
 */
export function stateOfRow(row: StateRow | ClaimedRow): TaskState {
  const counters = {
    run: row.run,
    deferrals: row.deferrals,
    attemptsOffset: row.attempts_offset,
    policy: sharedPolicy({ maxAttempts: row.max_attempts, baseSeconds: row.base_seconds, capSeconds: row.cap_seconds }),
    deadlineAt: row.deadline_at,
  };
  const state: Record<string, unknown> = { ...counters, status: row.status };
  for (const field of heldFields(row.status)) {
    state[field] = field === 'parkedFor' ? (columnOf(row, field) ?? undefined) : present(row, field);
  }
  return state as unknown as TaskState;
}

/** Where the fields lie that some states carry. */
const FIELD_COLUMNS = {
  nextAt: 'next_at',
  leaseUntil: 'lease_until',
  callbackUntil: 'due_at',
  callbackTimeoutMs: 'callback_timeout_ms',
  reason: 'reason',
  parkedFor: 'parked_for',
  finishedAt: 'finished_at',
} as const satisfies Record<keyof StateFields, keyof StateRow>;

function columnOf(row: Partial<StateRow>, field: keyof StateFields): string | number | null | undefined {
  return row[FIELD_COLUMNS[field]];
}

function present(row: StateRow | ClaimedRow, field: keyof StateFields): string | number {
  const value = columnOf(row, field);
  if (value === null || value === undefined) {
    throw new Error(`task ${row.id} is ${row.status} without ${FIELD_COLUMNS[field]}`);
  }
  return value;
}
