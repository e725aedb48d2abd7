/**
 * The claim: one upsert for a whole batch. It inserts the rows that are missing, moves the claimable
 * ones to `running` with the next run number and a lease, and ends those whose deadline has passed or
 * whose attempts are used up. What it may not touch it leaves alone; a second read, needed only then,
 * says where those stand. It leaves alone, too, a lost run that another service is to take over
 * (`callback/runs/lost-runs.ts`): who that is stands in the request.
 *
 * This is `transition(state, { type: 'claim' })` of `shared/task/transition.ts` in SQL; a test holds
 * the two against each other. Guarantees: of any number of claims of one run exactly one wins (the
 * run number); the same nonce gets the same answer (rule R13).
 */
import type { ClaimBatch } from '../ledger/contract.ts';
import { MAX_ATTEMPT_RECORDS, type TaskError } from '../task/attempt.ts';
import { holdsField, OPEN_STATUSES, openFacts, type TaskStatus } from '../task/status.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';
import { CLAIMED_COLUMNS, type ClaimedRow } from './row.ts';

export const LOST: TaskError = { class: 'lost', message: 'The consumer stopped before it could record an outcome.' };
const EXPIRED: TaskError = { class: 'deadline', message: 'The deadline passed before the task could run.' };

// In the SQL: ?1 claims, ?2 now, ?3 nonce, ?4 error of a lost run, ?5 error of an expiry.
const repeated = `(tasks.status = 'running' AND tasks.nonce = ?3)`;
const tombstone = `(tasks.status = 'cancelled' AND tasks.service = '')`;
const lost = `(tasks.status = 'running' AND tasks.lease_until <= ?2 AND NOT ${repeated})`;
const ended = `(tasks.deadline_at <= ?2)`;
const usedUp = `(tasks.run - tasks.deferrals - tasks.attempts_offset >= tasks.max_attempts)`;
/** The last service of the list hands over to nobody. */
const named = `(coalesce(tasks.request->>'$.fallback[#-1]', tasks.service) <> tasks.service)`;
const atOnce = `EXISTS (SELECT 1 FROM json_each(tasks.request, '$.fallbackOn') WHERE value = '${LOST.class}')`;
const handedOver = `(${lost} AND NOT ${ended} AND ${named} AND (${usedUp} OR ${atOnce}))`;
const listed = (statuses: readonly TaskStatus[]) => statuses.map((status) => `'${status}'`).join(', ');
const claimed = OPEN_STATUSES.filter((status) => openFacts(status)?.refusesClaim === undefined);
const timed = listed(claimed.filter((status) => holdsField(status, 'nextAt')));
const untimed = listed(claimed.filter((status) => !holdsField(status, 'nextAt') && !holdsField(status, 'leaseUntil')));
/** This very claim, landing once more when its run has ended already: nobody would hear that it has another. */
const spent = `(tasks.nonce IS ?3)`;
const claimable = `(
  ((tasks.status IN (${untimed})
    OR (tasks.status IN (${timed}) AND (tasks.next_at <= ?2 OR tasks.deadline_at <= ?2))) AND NOT ${spent})
  OR (${lost} AND NOT ${handedOver})
)`;
/** `keep` for a repeated claim and a tombstone; otherwise by what the claim makes of the row. */
const choose = (keep: string, expired: string, failed: string, running: string) => `CASE
    WHEN ${repeated} OR ${tombstone} THEN ${keep}
    WHEN ${ended} THEN ${expired}
    WHEN ${usedUp} THEN ${failed}
    ELSE ${running} END`;
const fromTombstone = (column: string) => `CASE WHEN ${tombstone} THEN excluded.${column} ELSE tasks.${column} END`;

const waited = (column: string) => `CASE WHEN tasks.status = 'deferred' THEN tasks.${column} END`;

const CLAIM = `
  INSERT INTO tasks (id, subject, service, status, run, max_attempts, base_seconds, cap_seconds, deadline_at,
    lease_until, nonce, started_at, labels, ref, request, request_body, on_complete)
  SELECT value->>0, coalesce(value->>2, ''), coalesce(value->>3, ''), 'running', 1, coalesce(value->>4, 1),
    coalesce(value->>5, 0), coalesce(value->>6, 0), coalesce(value->>7, 0), ?2 + (value->>1), ?3, ?2, value->>8, value->>9,
    value->>10, value->>11, value->>12
  FROM ${ROWS}
  -- A bare wake-up never makes a row: it only meets one.
  WHERE json_array_length(value) > 2 OR EXISTS (SELECT 1 FROM tasks WHERE tasks.id = value->>0)
  ON CONFLICT (id) DO UPDATE SET
    status = ${choose('tasks.status', `'expired'`, `'failed'`, `'running'`)},
    run = ${choose('tasks.run', 'tasks.run', 'tasks.run', 'tasks.run + 1')},
    lease_until = ${choose('tasks.lease_until', 'NULL', 'NULL', '?2 + (excluded.lease_until - excluded.started_at)')},
    nonce = ${choose('tasks.nonce', 'NULL', 'NULL', '?3')},
    started_at = ${choose('tasks.started_at', 'tasks.started_at', 'tasks.started_at', 'coalesce(tasks.started_at, ?2)')},
    finished_at = ${choose('tasks.finished_at', '?2', '?2', 'NULL')},
    error = ${choose('tasks.error', '?5', `CASE WHEN ${lost} THEN ?4 ELSE tasks.error END`, 'tasks.error')},
    history = CASE WHEN ${lost} THEN json_insert(
        CASE WHEN json_array_length(tasks.history) >= ${MAX_ATTEMPT_RECORDS}
          THEN json_remove(tasks.history, '$[0]') ELSE tasks.history END,
        '$[#]', json_object('run', tasks.run, 'attempt', tasks.run - tasks.deferrals,
          'outcome', 'failed', 'startedAt', tasks.lease_until, 'endedAt', tasks.lease_until, 'error', json(?4)))
      ELSE tasks.history END,
    failures = tasks.failures + ${lost},
    -- What an earlier run reported says nothing of this one.
    progress = ${choose('tasks.progress', 'tasks.progress', 'tasks.progress', 'NULL')},
    next_at = NULL,
    -- A repeat may land late, when its message is gone: who has made the task due since then carries it.
    due_at = CASE WHEN ${repeated} THEN tasks.due_at END,
    sends = CASE WHEN ${repeated} THEN tasks.sends ELSE 0 END,
    -- Of a wait that this claim ends, why and since when, so that its length can be counted.
    reason = ${choose('tasks.reason', 'NULL', 'NULL', waited('reason'))},
    waits_since = ${choose('tasks.waits_since', 'NULL', 'NULL', waited('waits_since'))},
    parked_for = NULL,
    released_at = NULL,
    service = ${fromTombstone('service')},
    labels = ${fromTombstone('labels')},
    ref = ${fromTombstone('ref')},
    request = ${fromTombstone('request')},
    request_body = ${fromTombstone('request_body')},
    on_complete = ${fromTombstone('on_complete')}
  WHERE ${claimable} OR ${repeated} OR (${tombstone} AND excluded.service <> '')
  RETURNING ${CLAIMED_COLUMNS}`;

/**
 * Claims that carry their task insert it when its row is missing, so a message past its deadline
 * must come without (rule R6).
 * @param now Unix milliseconds
 * @returns the rows that this batch holds (`running`), those the claim ended, and tombstones it
 *   filled in. Ids that are missing were not claimable, or do not exist, or another service takes them.
 */
export function claimTasks(db: D1Database, { claims, nonce }: ClaimBatch, now: number): Promise<ClaimedRow[]> {
  const parameters = jsonParameters(claims.map(claimParameter));
  return runForEach<ClaimedRow>(db, CLAIM, parameters, now, nonce, JSON.stringify(LOST), JSON.stringify(EXPIRED));
}

/** In the order in which `CLAIM` reads it. */
function claimParameter({ id, leaseMs, task }: ClaimBatch['claims'][number]): unknown[] {
  if (task === undefined) return [id, leaseMs];
  const { subject, service, policy, deadlineAt, labels, ref, request, body, onComplete } = task;
  const { maxAttempts, baseSeconds, capSeconds } = policy;
  return [
    id,
    leaseMs,
    subject,
    service,
    maxAttempts,
    baseSeconds,
    capSeconds,
    deadlineAt,
    labels,
    ref,
    request,
    body,
    onComplete,
  ];
}
