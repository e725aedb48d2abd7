/**
 * Answers of finished tasks, kept in the isolate's memory as the JSON that was sent, so that a hot
 * poll is a lookup. Only `succeeded` and `cancelled` are kept: a failed or expired task may be retried
 * by hand. Bounded in number, size and time; the owner is checked by whoever finds.
 */

export interface FinishedTask {
  readonly subject: string;
  readonly service: string;
  readonly json: string;
}

const MAX_ENTRIES = 10_000;

/** 16 million characters: 16 to 32 MB of an isolate's 128 MB. */
const MAX_CHARS = 16_000_000;

/** Retention may delete a task; its answer outlives it by this much at most. */
const MAX_AGE_MS = 60_000;

export class FinishedTasks {
  readonly #entries = new Map<string, { readonly task: FinishedTask; readonly until: number }>();
  #chars = 0;

  find(id: string, now: number): FinishedTask | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.until > now) return entry.task;
    this.#drop(id, entry.task);
    return undefined;
  }

  keep(id: string, task: FinishedTask, now: number): void {
    const known = this.#entries.get(id);
    if (known !== undefined) this.#drop(id, known.task);
    this.#entries.set(id, { task, until: now + MAX_AGE_MS });
    this.#chars += task.json.length;
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= MAX_ENTRIES && this.#chars <= MAX_CHARS) break;
      this.#drop(oldest, entry.task);
    }
  }

  #drop(id: string, task: FinishedTask): void {
    this.#entries.delete(id);
    this.#chars -= task.json.length;
  }
}
