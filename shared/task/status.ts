/**
 * The words for where a task stands. The database's CHECK, the API document and the transition table
 * all speak exactly these.
 */

/** States in which a task still has work ahead of it. */
export const OPEN_STATUSES = ['scheduled', 'queued', 'running', 'waiting', 'retrying', 'deferred'] as const;

/** States that a task never leaves by itself. `failed` and `expired` can be retried by hand. */
export const TERMINAL_STATUSES = ['succeeded', 'failed', 'cancelled', 'expired'] as const;

export const TASK_STATUSES = [...OPEN_STATUSES, ...TERMINAL_STATUSES] as const;

export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];
export type TaskStatus = (typeof TASK_STATUSES)[number];

export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return (TERMINAL_STATUSES as readonly TaskStatus[]).includes(status);
}
