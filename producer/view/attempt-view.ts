/** What is on record of a task's attempts, as the API shows it, and as entries of its timeline. Pure. */

import { isoTime } from '../../shared/iso-time.ts';
import { parsedJson } from '../../shared/json-text.ts';
import { safeParseAsIs } from '../../shared/rpc/as-is.ts';
import { type AttemptRecord, AttemptRecordSchema } from '../../shared/task/attempt.ts';
import type { AttemptView, TimelineEntry } from '../schema/task.ts';

/** Records that this release cannot read are left out one by one. */
export function attemptsIn(history: string): AttemptRecord[] {
  const all = parsedJson(history);
  const records: readonly unknown[] = Array.isArray(all) ? all : [];
  return records.flatMap((record) => safeParseAsIs(AttemptRecordSchema, record).data ?? []);
}

export function attemptView(record: AttemptRecord): AttemptView {
  const { attempt, outcome, startedAt, endedAt, server, key, error, reason, by } = record;
  return {
    attempt,
    outcome,
    startedAt: isoTime(startedAt),
    endedAt: isoTime(endedAt),
    durationMs: endedAt - startedAt,
    server,
    key,
    httpStatus: record.httpStatus ?? error?.httpStatus,
    error,
    reason,
    nextAttemptAt: record.nextAt === undefined ? undefined : isoTime(record.nextAt),
    delaySeconds: record.delayMs === undefined ? undefined : record.delayMs / 1000,
    delayReason: record.delayReason,
    fallback: record.fallback,
    by,
  };
}

const EVENTS = {
  failed: 'attempt-failed',
  deferred: 'deferred',
  succeeded: 'attempt-succeeded',
  accepted: 'attempt-accepted',
  retried: 'retried',
} as const satisfies Record<AttemptRecord['outcome'], TimelineEntry['event']>;

export function attemptEntry(attempt: AttemptView): TimelineEntry {
  const { outcome, endedAt: at } = attempt;
  return { ...attempt, at, event: EVENTS[outcome], outcome: undefined, endedAt: undefined, durationMs: undefined };
}
