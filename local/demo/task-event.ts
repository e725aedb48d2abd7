/**
 * What is worth a line in the demo: the events of a task, read from two polls of it. Pure.
 */
import * as z from 'zod';
import { TERMINAL_STATUSES } from '../../shared/task/status.ts';

/** The part of `GET /api/task/:id` that the demo shows. */
export const TaskViewSchema = z.object({
  id: z.string(),
  status: z.string(),
  attempt: z.number(),
  maxAttempts: z.number().optional(),
  createdAt: z.string(),
  finishedAt: z.string().nullish(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).nullish(),
  timeline: z.array(
    z.object({
      at: z.string(),
      event: z.string(),
      attempt: z.number().nullish(),
      error: z.object({ message: z.string() }).nullish(),
      reason: z.string().nullish(),
      percent: z.number().nullish(),
      delaySeconds: z.number().nullish(),
      delayReason: z.string().nullish(),
    }),
  ),
});
export type TaskView = z.infer<typeof TaskViewSchema>;

export interface TaskEvent {
  readonly at: number;
  readonly status: string;
  readonly attempt: number;
  readonly maxAttempts: number | undefined;
  readonly why: string;
}

const ENDS: ReadonlySet<string> = new Set(TERMINAL_STATUSES);

export function hasEnded({ status }: Pick<TaskView, 'status'>): boolean {
  return ENDS.has(status);
}

/** What happened between two polls, oldest first. @param before undefined at the first poll */
export function eventsBetween(before: TaskView | undefined, now: TaskView): TaskEvent[] {
  const seen = new Set(before?.timeline.map(entryKey));
  const events = now.timeline.filter((entry) => !seen.has(entryKey(entry))).flatMap((entry) => eventOf(entry, now));
  if (now.status === 'waiting' && before?.status !== 'waiting') {
    events.unshift({ at: firstTime(now), status: 'waiting', ...attemptOf(now), why: 'accepted, will call back' });
  }
  return events.sort((a, b) => a.at - b.at);
}

type Entry = TaskView['timeline'][number];

function entryKey(entry: Entry): string {
  return `${entry.at} ${entry.event} ${entry.attempt ?? ''} ${entry.percent ?? ''}`;
}

function eventOf(entry: Entry, task: TaskView): TaskEvent[] {
  const at = Date.parse(entry.at);
  const attempt = attemptOf(task, entry);
  if (ENDS.has(entry.event)) {
    const why = entry.event === 'succeeded' ? resultText(task.result) : (task.error?.message ?? '');
    return [{ at, status: entry.event, ...attempt, why }];
  }
  const next = nextOf(entry);
  switch (entry.event) {
    case 'attempt-failed':
      // The last failure is told by the task's end.
      return entry.delaySeconds == null
        ? []
        : [{ at, status: 'retrying', ...attempt, why: next + (entry.error?.message ?? '') }];
    case 'deferred':
      return [{ at, status: 'deferred', ...attempt, why: next + (entry.reason ?? 'no capacity') }];
    case 'progress':
      return [{ at, status: 'waiting', ...attempt, why: `${entry.percent ?? '?'}% done` }];
    default:
      return [];
  }
}

/** What waits in line goes on when there is room: its delay is a fallback that says nothing. */
function nextOf({ delaySeconds, delayReason }: Entry): string {
  if (delayReason === 'in line') return 'in line; ';
  return delaySeconds == null ? '' : `again in ${delaySeconds} s; `;
}

function attemptOf(task: TaskView, entry?: Entry) {
  return { attempt: entry?.attempt ?? task.attempt, maxAttempts: task.maxAttempts };
}

function resultText(result: unknown): string {
  return result == null ? '' : JSON.stringify(result);
}

/** When the row began to wait is not told; its latest entry is the closest. */
function firstTime(task: TaskView): number {
  const started = task.timeline.find(({ event }) => event === 'started') ?? task.timeline[0];
  return Date.parse(started?.at ?? task.createdAt);
}
