/**
 * From a row to what the API shows. Pure. A task that is not running always says what it waits for,
 * and until when where that is known.
 */

import * as z from 'zod';
import { moverOf } from '../../shared/capacity/line.ts';
import { isoTime, isoTimeOrNone } from '../../shared/iso-time.ts';
import { parsedJson } from '../../shared/json-text.ts';
import { type LineView, MOVES_WITHIN_MS } from '../../shared/store/parking.ts';
import type { TaskRow, TaskSummaryRow } from '../../shared/store/row.ts';
import { TaskErrorSchema } from '../../shared/task/attempt.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { attemptNumber } from '../../shared/task/state.ts';
import { holdsField, isTerminal, STATUS_WAITS } from '../../shared/task/status.ts';
import { HookSchema } from '../../shared/webhook/hook.ts';
import { storedResultOf } from '../bodies/task-bodies.ts';
import { JsonText } from '../json/json-text.ts';
import type { AttemptView, TaskSummary, TaskView, TimelineEntry, WaitReason } from '../schema/task.ts';
import { attemptEntry, attemptsIn, attemptView } from './attempt-view.ts';
import { requestView } from './request-view.ts';

const LabelsSchema = z.record(z.string(), z.string());
const KeptHookSchema = z.object(HookSchema.shape);
const ReportSchema = z.object({ at: z.number(), percent: z.number().optional(), message: z.string().optional() });
const ProgressSchema = ReportSchema.extend({ log: z.array(ReportSchema).optional() });

/** Where a parked task stands in its line. */
export interface LinePosition {
  /** Tasks before it in the line, in all stores; counted up to a bound in each. */
  readonly ahead: number;
  /** Tasks that the line's owner starts a second; null when it has not said so of late. */
  readonly perSecond: number | null;
  /** Unix ms: nobody starts before, as far as is known. */
  readonly opensAt?: number | undefined;
}

/** Why a line does not move, as all say who move it. */
export function stopOf(parts: readonly Pick<LineView, 'rates'>[]): WaitReason | undefined {
  const reasons = new Set(parts.flatMap(({ rates }) => rates.map(({ reason }) => reason)));
  return reasons.size === 1 ? [...reasons][0] : undefined;
}

/**
 * Until when all that a parked task waits for is closed, Unix ms, as was known when it was parked, or whoever stands at the
 * head was, as the later knows more: of no worth since the line has moved, or while others than who said it move it.
 */
export function opensAtOf(
  { history, parked_for: line }: Pick<TaskRow, 'history' | 'parked_for'>,
  parts: readonly Pick<LineView, 'rates' | 'headAttempt'>[],
  now: number,
): number | undefined {
  const heads = parts.flatMap(({ headAttempt }) => headAttempt ?? []);
  const said = [...attemptsIn(history).slice(-1), ...attemptsIn(`[${heads.join(',')}]`)];
  const last = said.sort((one, other) => one.endedAt - other.endedAt).at(-1);
  if (line === null || last?.opensAt === undefined) return undefined;
  const by = moverOf(line, last.opensOn);
  const hasMoved = parts
    .flatMap(({ rates }) => rates.filter(({ perSecond }) => perSecond > 0))
    .some(({ mover, at }) => at > last.endedAt || (mover !== by && at > now - MOVES_WITHIN_MS));
  return hasMoved ? undefined : last.opensAt;
}

/** Its service's pause: nothing else that it waits for matters meanwhile. `until`: when that ends by itself, Unix ms. */
export interface Pause {
  readonly until: number | undefined;
}

/** What a task is looked at with. */
export interface Sight {
  /** Unix ms. A time that has come by then says nothing of when the wait ends, and is not shown. */
  readonly at: number;
  readonly position?: LinePosition | undefined;
  /** Why its line does not move, where that is not what its tasks were told as they came. */
  readonly stop?: WaitReason | undefined;
  readonly pause?: Pause | undefined;
}

/** What of bodies is kept out of sight. */
export interface Redaction {
  readonly request: boolean;
  readonly result: boolean;
}

/** The whole task, with its request, its result and its timeline. */
export function taskView(
  row: TaskRow,
  statusUrl: string,
  sight: Sight,
  redaction: Redaction = { request: false, result: false },
): TaskView {
  const summary = taskSummary(row, statusUrl, sight);
  const attempts = attemptsIn(row.history).map(attemptView);
  return {
    ...summary,
    request: requestView(row, statusUrl, redaction.request),
    attemptLog: attempts,
    progressLog: reportsOf(row)?.map(({ at, ...report }) => ({ at: isoTime(at), ...report })),
    timeline: timelineOf(row, summary, attempts),
    ...resultOf(row, statusUrl, redaction.result),
  };
}

/** What is known of a task whose id is authentic and whose row has not been written yet. */
export function unrecordedTask(id: string, subject: string, statusUrl: string): TaskView {
  const createdAt = isoTime(taskCreatedAt(id));
  return {
    id,
    statusUrl,
    subject,
    service: null,
    status: 'queued',
    attempt: 0,
    attempts: 0,
    failures: 0,
    deferrals: 0,
    createdAt,
    waitingFor: { reason: 'queue' },
    attemptLog: [],
    timeline: [{ at: createdAt, event: 'created' }],
  };
}

export function taskSummary(row: TaskSummaryRow, statusUrl: string, sight: Sight): TaskSummary {
  const progress = parsed(ProgressSchema, row.progress);
  return {
    id: row.id,
    statusUrl,
    subject: row.subject,
    // A task cancelled before its first message arrived has no service yet.
    service: row.service === '' ? null : row.service,
    status: row.status,
    attempt: attemptNumber(row),
    maxAttempts: row.attempts_offset + row.max_attempts,
    attempts: row.run - row.deferrals,
    failures: row.failures,
    deferrals: row.deferrals,
    createdAt: isoTime(taskCreatedAt(row.id)),
    startedAt: isoTimeOrNone(row.started_at),
    finishedAt: isoTimeOrNone(row.finished_at),
    deadlineAt: isoTime(row.deadline_at),
    waitingFor: waitingFor(row, sight),
    // Of a parked task it is only when it looks again by itself, should nobody wake it.
    nextAttemptAt: row.parked_for === null ? stillToCome(row.next_at, sight.at) : undefined,
    progress: progress?.percent,
    progressMessage: progress?.message,
    labels: parsed(LabelsSchema, row.labels),
    ref: row.ref ?? undefined,
    group: row.group_name ?? undefined,
    onComplete: parsed(KeptHookSchema, row.on_complete),
    error: parsed(TaskErrorSchema, row.error),
    bodiesDeletedAt: isoTimeOrNone(row.bodies_deleted_at),
  };
}

export function whilePaused(
  { until = 0 }: Pause,
  now: number,
): { readonly reason: 'paused'; readonly until?: string | undefined } {
  return { reason: 'paused', until: stillToCome(until, now) };
}

/**
 * A place in line and the line's pace say until when, from when it moves again; while nobody knows the pace, that moment is
 * the earliest.
 */
function inLine(reason: WaitReason, { at, position, stop }: Sight): TaskSummary['waitingFor'] {
  if (stop !== undefined) return { reason: stop, ahead: position?.ahead };
  if (position === undefined) return { reason };
  const { ahead, perSecond, opensAt = at } = position;
  const from = Math.max(at, opensAt);
  const waitMs = perSecond === null || perSecond <= 0 ? 0 : ((ahead + 1) * 1000) / perSecond;
  return { reason, ahead, until: stillToCome(Math.ceil(from + waitMs), at) };
}

function waitingFor(row: TaskSummaryRow, sight: Sight): TaskSummary['waitingFor'] {
  const { at, position, pause } = sight;
  // One that is queued may still be called by a consumer that has not heard of the pause.
  if (pause !== undefined && holdsField(row.status, 'reason')) {
    return { ...whilePaused(pause, at), ahead: position?.ahead };
  }
  const reason = STATUS_WAITS[row.status];
  if (reason !== undefined) {
    return { reason, until: stillToCome(holdsField(row.status, 'callbackUntil') ? row.due_at : row.next_at, at) };
  }
  if (!holdsField(row.status, 'reason')) return undefined;
  if (row.parked_for !== null) return inLine(row.reason ?? 'no-server', sight);
  return { reason: row.reason ?? 'no-server', until: stillToCome(row.next_at, at) };
}

function stillToCome(time: number | null, now: number): string | undefined {
  return time !== null && time > now ? isoTime(time) : undefined;
}

type ShownResult = Pick<
  TaskView,
  'result' | 'resultContentType' | 'resultEncoding' | 'resultRedacted' | 'resultBytes' | 'resultUrl'
>;

function resultOf(row: TaskRow, statusUrl: string, isRedacted: boolean): ShownResult {
  const stored = storedResultOf(row);
  if (stored !== undefined) {
    const shown = isRedacted ? { resultRedacted: true } : { resultUrl: `${statusUrl}/result` };
    return { resultContentType: stored.type, resultBytes: stored.bytes, ...shown };
  }
  if (row.result === null || row.result_type === null || row.result_encoding === null) return {};
  if (isRedacted) {
    return { resultContentType: row.result_type, resultEncoding: row.result_encoding, resultRedacted: true };
  }
  const content = { type: row.result_type, encoding: row.result_encoding, text: row.result };
  return {
    result: content.encoding === 'json' ? new JsonText(content.text) : content.text,
    resultContentType: content.type,
    resultEncoding: content.encoding,
  };
}

/** Oldest first. Entries of the same moment keep the order in which they are told here. */
function timelineOf(row: TaskRow, summary: TaskSummary, attempts: readonly AttemptView[]): TimelineEntry[] {
  const entries: TimelineEntry[] = [{ at: summary.createdAt, event: 'created' }];
  if (summary.startedAt !== undefined) entries.push({ at: summary.startedAt, event: 'started' });
  for (const attempt of attempts) entries.push(attemptEntry(attempt));
  for (const report of reportsOf(row) ?? []) entries.push({ ...report, at: isoTime(report.at), event: 'progress' });
  const end = endOf(row);
  if (end !== undefined && summary.finishedAt !== undefined) entries.push({ at: summary.finishedAt, event: end });
  return entries.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

function endOf({ status }: TaskRow): TimelineEntry['event'] | undefined {
  return isTerminal(status) ? status : undefined;
}

/** Of rows that were written before reports were kept, the last one. */
function reportsOf({ progress }: TaskRow) {
  const read = parsed(ProgressSchema, progress);
  if (read === undefined) return undefined;
  const { log, ...last } = read;
  return log ?? [last];
}

/** A column that holds no JSON of its shape is left out: the rest of the task is still worth showing. */
function parsed<Schema extends z.ZodType>(schema: Schema, text: string | null): z.output<Schema> | undefined {
  return text === null ? undefined : schema.safeParse(parsedJson(text)).data;
}
