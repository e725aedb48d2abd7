/** A task whose message comes past its deadline and that has no row: recorded, never run (rule R6). */
import type { ClaimBatch } from '../ledger/contract.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';

type Unrecorded = ClaimBatch['claims'][number];

export async function recordExpired(
  db: D1Database,
  claims: readonly Unrecorded[],
  error: string,
  now: number,
): Promise<never[]> {
  return runForEach<never>(
    db,
    `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at, labels, ref, error, request, request_body, on_complete)
     SELECT value->>'id', value->>'$.task.subject', value->>'$.task.service', 'expired',
       value->>'$.task.policy.maxAttempts', value->>'$.task.policy.baseSeconds', value->>'$.task.policy.capSeconds',
       value->>'$.task.deadlineAt', ?2, value->'$.task.labels', value->>'$.task.ref', ?3, value->>'$.task.request', value->>'$.task.body',
       value->>'$.task.onComplete'
     FROM ${ROWS}
     WHERE true
     ON CONFLICT (id) DO NOTHING`,
    jsonParameters(claims),
    now,
    error,
  );
}
