/** One line under a clock of the bench: tasks are parked and released with the statements that the Workers use. */
import { DatabaseSync } from 'node:sqlite';
import { releaseParkedTasks } from '../../shared/store/parking.ts';
import { recordTransitions } from '../../shared/store/transitions.ts';
import { leaveTurns } from '../../shared/store/turns.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import type { TaskState } from '../../shared/task/state.ts';
import { asD1, migrate } from '../sqlite/d1.ts';

const LINE = 'service:bench';
const POLICY = { maxAttempts: 1, baseSeconds: 1, capSeconds: 1 };
/** As a consumer settles. */
const BATCH = 10;

export interface Parking {
  readonly subject: string;
  readonly count: number;
  readonly priority?: number;
}

export class BenchLine {
  readonly #database = new DatabaseSync(':memory:');
  readonly #db = asD1(this.#database);
  #now: number;
  #ids = 0;

  constructor(now: number) {
    this.#now = now;
    migrate(this.#database);
  }

  get now(): number {
    return this.#now;
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  /** Tasks whose claims found no capacity. @returns their ids, in the order of their submission */
  async park({ subject, count, priority }: Parking): Promise<string[]> {
    const insert = this.#database.prepare(
      `INSERT INTO tasks (id, subject, service, status, run, max_attempts, base_seconds, cap_seconds, deadline_at, lease_until, request)
       VALUES (?, ?, 'bench', 'running', 1, 1, 1, 1, ?, ?, ?)`,
    );
    const ids: string[] = [];
    const deadlineAt = this.#now + 7 * 86_400_000;
    for (let at = 0; at < count; at++) {
      this.#ids += 1;
      const id = smallestTaskIdAt(this.#now).slice(0, -8) + String(this.#ids).padStart(8, '0');
      insert.run(id, subject, deadlineAt, this.#now, JSON.stringify(priority === undefined ? {} : { priority }));
      ids.push(id);
    }
    const counters = { run: 1, deferrals: 1, attemptsOffset: 0, policy: POLICY, deadlineAt };
    const next: TaskState = {
      ...counters,
      status: 'deferred',
      reason: 'server-busy',
      nextAt: deadlineAt - 1,
      parkedFor: LINE,
    };
    const park = { at: this.#now, isAgain: false };
    for (let at = 0; at < count; at += BATCH) {
      const batch = ids.slice(at, at + BATCH);
      await recordTransitions(
        this.#db,
        batch.map((id) => ({ id, expected: { status: 'running', run: 1 }, next, park })),
      );
    }
    return ids;
  }

  /** The next tasks that start; they do not come back. */
  async release(count: number): Promise<string[]> {
    const { released } = await releaseParkedTasks(this.#db, LINE, count, undefined, this.#now);
    const end = this.#database.prepare('DELETE FROM tasks WHERE id = ?');
    for (const { id } of released) end.run(id);
    return released.map(({ id }) => id);
  }

  /** Tasks that end while they stand in line. */
  async cancel(ids: readonly string[]): Promise<void> {
    await leaveTurns(this.#db, ids).run();
    const end = this.#database.prepare('DELETE FROM tasks WHERE id = ?');
    for (const id of ids) end.run(id);
  }
}
