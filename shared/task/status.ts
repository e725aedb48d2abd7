/**
 * The words for where a task stands, and what is true of each: types, statements, the API document, the dashboard, the
 * demo, the smoke test and the diagram take both from here. What moves a task from one to another stands in
 * `transition.ts`. Pure.
 */

interface OpenFacts {
  /** What its state carries beside the counters, by the names in `state.ts`. */
  readonly holds: readonly string[];
  /** `row`: its message may go once the row has a `due_at`, under which the sweeper finds it (rule R1). */
  readonly wokenBy: 'message' | 'row';
  /** What a poll says that it waits for. Without, it runs, or the row says why it waits (`reason`). */
  readonly waitsFor?: string;
  /** Why a consumer that comes for it is refused. Without, it runs at once, or after its `nextAt` or `leaseUntil`. */
  readonly refusesClaim?: 'awaiting-callback' | 'not-applicable';
}

/** States in which a task still has work ahead of it. */
const OPEN = {
  scheduled: { holds: ['nextAt'], wokenBy: 'row', waitsFor: 'scheduled' },
  queued: { holds: [], wokenBy: 'message', waitsFor: 'queue' },
  running: { holds: ['leaseUntil'], wokenBy: 'message' },
  waiting: {
    holds: ['callbackUntil', 'callbackTimeoutMs'],
    wokenBy: 'row',
    waitsFor: 'callback',
    refusesClaim: 'awaiting-callback',
  },
  retrying: { holds: ['nextAt'], wokenBy: 'message', waitsFor: 'backoff' },
  deferred: { holds: ['nextAt', 'reason', 'parkedFor'], wokenBy: 'row' },
} as const satisfies Record<string, OpenFacts>;

/** States that a task never leaves by itself; some of them can be run again by hand. */
const TERMINAL = {
  succeeded: { canRetry: false },
  failed: { canRetry: true },
  cancelled: { canRetry: false },
  expired: { canRetry: true },
} as const satisfies Record<string, { readonly canRetry: boolean }>;

type OpenStatus = keyof typeof OPEN;
export type TerminalStatus = keyof typeof TERMINAL;
export type TaskStatus = OpenStatus | TerminalStatus;

/** The names of the fields that a state carries. */
export type HeldField<Status extends TaskStatus> = Status extends OpenStatus
  ? (typeof OPEN)[Status]['holds'][number]
  : 'finishedAt';

export const OPEN_STATUSES = Object.keys(OPEN) as readonly OpenStatus[];
export const TERMINAL_STATUSES = Object.keys(TERMINAL) as readonly TerminalStatus[];
export const TASK_STATUSES: readonly TaskStatus[] = [...OPEN_STATUSES, ...TERMINAL_STATUSES];

/** What a person can have run again. */
export const RETRYABLE_STATUSES: readonly TaskStatus[] = TERMINAL_STATUSES.filter((each) => TERMINAL[each].canRetry);

export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return status in TERMINAL;
}

/** @returns undefined for a task that has ended */
export function openFacts(status: TaskStatus): OpenFacts | undefined {
  return (OPEN as Partial<Record<TaskStatus, OpenFacts>>)[status];
}

const TERMINAL_FIELDS = ['finishedAt'] as const;

export function heldFields<Status extends TaskStatus>(status: Status): readonly HeldField<Status>[] {
  return (openFacts(status)?.holds ?? TERMINAL_FIELDS) as readonly HeldField<Status>[];
}

export function holdsField(status: TaskStatus, field: HeldField<TaskStatus>): boolean {
  return heldFields(status).includes(field);
}

type StatusWait = Extract<(typeof OPEN)[OpenStatus], { readonly waitsFor: string }>['waitsFor'];

/** What tasks wait for whose status alone says it. */
export const STATUS_WAITS: Readonly<Partial<Record<TaskStatus, StatusWait>>> = Object.fromEntries(
  Object.entries(OPEN).flatMap(([status, facts]) => ('waitsFor' in facts ? [[status, facts.waitsFor]] : [])),
);
