/**
 * What must hold whatever happens: the promises of DESIGN.md, looked at after every step (and, while
 * `watching`, after every write) and once more when the world has come to rest.
 */
import type { NewTask } from '../../shared/message/task-message.ts';
import { isTerminal, RETRYABLE_STATUSES, type TaskStatus } from '../../shared/task/status.ts';
import type { Backend } from './backend.ts';
import type { Invocation } from './faults.ts';
import type { Post } from './post.ts';

export interface Row {
  id: string;
  service: string;
  status: TaskStatus;
  run: number;
  deferrals: number;
  attempts_offset: number;
  max_attempts: number;
  deadline_at: number;
  lease_until: number | null;
  next_at: number | null;
  due_at: number | null;
  sends: number;
  reason: string | null;
  parked_for: string | null;
  released_at: number | null;
  started_at: number | null;
  finished_at: number | null;
  failures: number;
  error: string | null;
  history: string;
  result: string | null;
  result_stored: string | null;
  bodies_deleted_at: number | null;
}

/** Answers by which a key is told to be limited, refused or unpaid. */
const KEY_REFUSALS: ReadonlySet<unknown> = new Set([401, 402, 403, 429]);

type End = Pick<Row, 'status' | 'run' | 'finished_at' | 'result' | 'error'>;

export class Promises {
  readonly violations: string[] = [];
  /** Tasks that were accepted and must end. */
  readonly accepted = new Map<string, NewTask>();
  /** Ends of leases by task and run, as granted. */
  readonly leases = new Map<string, number>();
  /** What people and backends were told: the task ended so. */
  readonly told = new Map<string, TaskStatus>();
  /** Earliest starts by task and run, as rows said. */
  readonly #notBefore = new Map<string, number>();
  readonly #ends = new Map<string, End>();
  /** What clocks that go wrong may add to a time. */
  toleranceMs = 0;
  /** Runs whose backend reported a failure, so that the next may begin while the call still lasts. */
  readonly abandoned = new Set<string>();
  /** How often each task was asked to run again by hand. */
  readonly #reopened = new Map<string, number>();
  /** Redrives of all tasks; one that was not promised may be there all the same (rule R19). */
  redrives = 0;
  readonly #post: Post;
  readonly #backend: Backend;

  constructor(post: Post, backend: Backend) {
    this.#post = post;
    this.#backend = backend;
  }

  /** A person wants the task run again: it may leave a failure or an expiry. */
  mayReopen(id: string): void {
    this.#reopened.set(id, (this.#reopened.get(id) ?? 0) + 1);
  }

  checkRows(rows: readonly Row[], when: string): void {
    for (const row of rows) {
      if (!isTerminal(row.status)) this.#checkOpen(row, when);
      else this.#checkEnd(row, when);
      if (row.run - row.deferrals - row.attempts_offset > row.max_attempts)
        this.#blame(`attempts of ${row.id} above max`, when);
    }
  }

  /** Rule R1: an open task has an unacked message or a `due_at`. */
  #checkOpen(row: Row, when: string): void {
    if (row.due_at === null && !this.#post.carries(row.id)) {
      this.#blame(`${row.id} is ${row.status} and nothing will wake it (R1)`, when);
    }
    // A parked task's next time is its fallback: its event may come before.
    if (row.next_at !== null && row.parked_for === null) this.#notBefore.set(`${row.id}/${row.run + 1}`, row.next_at);
    const end = this.#ends.get(row.id);
    if (end === undefined) return;
    if (!this.#maybeReopened(row.id, end))
      this.#blame(`${row.id} left its end (${end.status}) for ${row.status}`, when);
    this.#ends.delete(row.id);
  }

  #checkEnd(row: Row, when: string): void {
    const { id, status, run, finished_at, error } = row;
    const before = this.#ends.get(id);
    // Bodies go long before their row does.
    const result = row.bodies_deleted_at === null ? row.result : (before?.result ?? null);
    const end = { status, run, finished_at, result, error };
    this.#ends.set(id, end);
    if (before === undefined || JSON.stringify(before) === JSON.stringify(end)) return;
    if (this.#maybeReopened(id, before)) return;
    this.#blame(`${id} ended twice: ${JSON.stringify(before)}, then ${JSON.stringify(end)}`, when);
  }

  /** Rule R21: a batch that goes to its end has called each task that it was granted, or given it back. */
  checkHeld({ held, killed, isCutOff }: Invocation): void {
    if (killed || isCutOff) return;
    for (const id of held) this.#blame(`${id} was granted, and neither called nor given back (R21)`, 'after its batch');
  }

  #maybeReopened(id: string, { status }: End): boolean {
    return (this.redrives > 0 || this.#reopened.has(id)) && RETRYABLE_STATUSES.some((each) => each === status);
  }

  checkAtRest(rows: readonly Row[], purged: ReadonlySet<string>): void {
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const [id, task] of this.accepted) {
      const row = byId.get(id);
      if (row === undefined) {
        if (!purged.has(id)) this.#blame(`${id} was accepted and is not recorded`, 'at rest');
        continue;
      }
      if (!isTerminal(row.status)) this.#blame(`${id} is ${row.status} and nothing moves any more`, 'at rest');
      const told = this.told.get(id);
      if (told !== undefined && told !== row.status)
        this.#blame(`${id} is ${row.status}, not ${told} as told`, 'at rest');
      if (row.status === 'succeeded') this.#checkResult(row);
      this.#checkCalls(task);
    }
  }

  /** A result is what one of the task's runs answered or called back. */
  #checkResult({ id, result }: Row): void {
    const by = (JSON.parse(result ?? '{}') as { by?: number }).by;
    if (by !== undefined && !this.#backend.callsOf(id).some(({ run }) => run === by)) {
      this.#blame(`the result of ${id} is of no run that was called`, 'at rest');
    }
  }

  #checkCalls(task: NewTask): void {
    const { id } = task;
    // Each service that may take it has attempts of its own.
    const maxAttempts = task.policy.maxAttempts * (1 + (task.request.fallback?.length ?? 0));
    const calls = this.#backend.callsOf(id);
    const most = maxAttempts * (1 + this.redrives + (this.#reopened.get(id) ?? 0));
    for (const [index, call] of calls.entries()) {
      const where = `call ${index + 1} of ${id} (run ${call.run})`;
      const lease = this.leases.get(`${id}/${call.run}`);
      if (lease === undefined) this.#blame(`${where} was made without a grant`, 'at rest');
      else if (Math.max(call.startedAt, call.endedAt ?? 0) > lease + this.toleranceMs)
        this.#blame(`${where} outlived its lease`, 'at rest');
      if (call.startedAt + this.toleranceMs < (this.#notBefore.get(`${id}/${call.run}`) ?? 0)) {
        this.#blame(`${where} started before its time`, 'at rest');
      }
      if (call.attempt > most) this.#blame(`${where} is attempt ${call.attempt} of ${most}`, 'at rest');
      if (call.startedAt > call.deadline + this.toleranceMs)
        this.#blame(`${where} started after the deadline`, 'at rest');
      const next = calls[index + 1];
      if (next === undefined) continue;
      if (
        next.startedAt + this.toleranceMs < (call.endedAt ?? Number.POSITIVE_INFINITY) &&
        !this.abandoned.has(`${id}/${call.run}`)
      ) {
        this.#blame(`${where} was still under way when the next began`, 'at rest');
      }
      // A key that was refused or limited is another key's call in the same run.
      const isOfKey =
        [task.service, ...(task.request.fallback ?? [])].includes('keyed') && KEY_REFUSALS.has(call.ending);
      if (next.run === call.run && call.ending !== 'broken' && !isOfKey)
        this.#blame(`${where} was made twice`, 'at rest');
    }
  }

  #blame(what: string, when: string): void {
    this.violations.push(`${what} (${when})`);
  }
}
