/**
 * What a system has recorded, read from its D1 file on disk by this process: the same look for both
 * sides, at what is committed, without a request that the runtime would have to answer.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabaseFile } from '../../local/database-file.ts';

export class Records {
  readonly #database: DatabaseSync;
  readonly #count: StatementSync;

  /** @param stateDir the directory below which the runtime keeps its one D1 database */
  constructor(stateDir: string) {
    this.#database = openDatabaseFile(stateDir);
    this.#count = this.#database.prepare(
      "SELECT count(*) AS tasks, count(*) FILTER (WHERE status = 'succeeded') AS succeeded FROM tasks WHERE id > ?",
    );
  }

  /** The newest task's id: ids sort by time, so tasks submitted from now on sort after it. */
  newest(): string {
    const row = this.#database.prepare('SELECT max(id) AS id FROM tasks').get() as { id: string | null };
    return row.id ?? '';
  }

  since(id: string): { tasks: number; succeeded: number } {
    return this.#count.get(id) as { tasks: number; succeeded: number };
  }

  /** Resolves when `count` tasks newer than `id` have succeeded; rejects when that takes too long. */
  async awaitSucceeded(id: string, count: number, timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const { tasks, succeeded } = this.since(id);
      if (succeeded >= count) return;
      if (performance.now() > end) {
        throw new Error(`${succeeded} of ${count} tasks succeeded in ${timeoutMs / 1000} s (${tasks} have a row)`);
      }
      await sleep(5);
    }
  }

  /** Resolves when `count` tasks newer than `id` stand in a line. */
  async awaitParked(id: string, count: number, timeoutMs: number): Promise<void> {
    const parked = this.#database.prepare(
      'SELECT count(*) AS tasks FROM tasks WHERE id > ? AND parked_for IS NOT NULL AND released_at IS NULL',
    );
    const end = performance.now() + timeoutMs;
    for (;;) {
      const { tasks } = parked.get(id) as { tasks: number };
      if (tasks >= count) return;
      if (performance.now() > end) throw new Error(`${tasks} of ${count} tasks stand in their line`);
      await sleep(20);
    }
  }

  close(): void {
    this.#database.close();
  }
}
