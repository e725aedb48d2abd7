/**
 * Clients that wait for the end of their tasks (`?wait=`) share what is read of the database: one statement
 * looks for all of an isolate's tasks whose next look has come, and whoever waits for one of them reads the
 * answer here. Plain data only: each request sleeps on its own timer and may go away at any time, also while
 * it asks for others, who then ask for themselves. Clock handed in.
 */

/** Looks that are due this close together go together. */
const TOGETHER_MS = 100;

/** Somebody who asked so long ago without an answer has gone away. */
const UNANSWERED_MS = 1_000;

interface Watched {
  /** Requests that wait for it. */
  waiters: number;
  /** The next look, Unix ms. */
  dueAt: number;
  askedAt: number;
  isAnswered: boolean;
  hasEnded: boolean;
}

export class EndWatch {
  readonly #tasks = new Map<string, Watched>();

  join(id: string): void {
    const watched = this.#tasks.get(id);
    if (watched !== undefined) watched.waiters += 1;
    else this.#tasks.set(id, { waiters: 1, dueAt: 0, askedAt: 0, isAnswered: true, hasEnded: false });
  }

  leave(id: string): void {
    const watched = this.#tasks.get(id);
    if (watched === undefined) return;
    watched.waiters -= 1;
    if (watched.waiters === 0) this.#tasks.delete(id);
  }

  /** @param dueAt when somebody wants to know where it stands */
  plan(id: string, dueAt: number): void {
    const watched = this.#tasks.get(id);
    if (watched !== undefined)
      watched.dueAt = watched.dueAt <= watched.askedAt ? dueAt : Math.min(watched.dueAt, dueAt);
  }

  /** `ended`; `asked`: the answer to somebody's question is on its way; `due`: nobody has asked of late. */
  look(id: string, now: number): 'ended' | 'asked' | 'open' | 'due' {
    const watched = this.#tasks.get(id);
    if (watched === undefined) return 'due';
    if (watched.hasEnded) return 'ended';
    if (!watched.isAnswered && watched.askedAt > now - UNANSWERED_MS) return 'asked';
    return watched.isAnswered && watched.askedAt > now - TOGETHER_MS ? 'open' : 'due';
  }

  /** The ids whose look has come, which the caller asks for now; `id` is among them. */
  takeDue(id: string, now: number): string[] {
    const due: string[] = [];
    for (const [other, watched] of this.#tasks) {
      if (other !== id && (watched.dueAt > now + TOGETHER_MS || watched.dueAt <= watched.askedAt || watched.hasEnded)) {
        continue;
      }
      watched.askedAt = now;
      watched.isAnswered = false;
      due.push(other);
    }
    return due;
  }

  /** @param ended those of the asked tasks that have ended */
  note(asked: readonly string[], ended: ReadonlySet<string>): void {
    for (const id of asked) {
      const watched = this.#tasks.get(id);
      if (watched === undefined) continue;
      watched.isAnswered = true;
      watched.hasEnded ||= ended.has(id);
    }
  }
}
