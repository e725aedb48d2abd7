/**
 * Counts what happens to tasks in this isolate's memory and adds it to the database in few rows: when
 * enough tasks share them, or when the oldest count has waited long enough. A count that an isolate takes
 * with it when it goes is lost; the tasks' rows are the record. Plain data, shared by the isolate's
 * requests.
 */
import { logWarning } from '../shared/log.ts';
import { addToStatistics } from '../shared/store/statistics.ts';
import { countSample, emptyTally, hourOf, type Sample, type Tally, type TallyKind } from '../shared/statistics/tally.ts';

/** Tasks a row: with three kinds of rows this keeps statistics under 0.05 rows a task. */
const TASKS_PER_ROW = 25;

/** Counts are shown at most this late where tasks are few. */
const MAX_AGE_MS = 20_000;

export class Statistics {
  #tallies = new Map<string, Tally>();
  #ended = 0;
  #since: number | undefined;

  note(samples: readonly Sample[], now: number): void {
    for (const sample of samples) {
      this.#count('service', sample.service, sample);
      if (sample.subject !== undefined) this.#count('subject', sample.subject, sample);
      if (sample.server !== undefined) this.#count('server', sample.server, sample);
      if (sample.event.kind === 'ended') this.#ended += 1;
    }
    if (samples.length > 0) this.#since ??= now;
  }

  /** What is to be written now; the caller writes it once. Empty: nothing is due. */
  takeDue(now: number): Tally[] {
    if (this.#since === undefined) return [];
    const isShared = this.#ended >= TASKS_PER_ROW * this.#tallies.size;
    if (!isShared && now - this.#since < MAX_AGE_MS) return [];
    const due = [...this.#tallies.values()];
    this.#tallies = new Map();
    this.#ended = 0;
    this.#since = undefined;
    return due;
  }

  /** How long until something is due, when it is by age. */
  dueInMs(now: number): number | undefined {
    return this.#since === undefined ? undefined : Math.max(0, this.#since + MAX_AGE_MS - now);
  }

  #count(kind: TallyKind, name: string, sample: Sample): void {
    const hour = hourOf(sample.at);
    const key = `${kind} ${hour} ${name}`;
    const tally = this.#tallies.get(key) ?? emptyTally(kind, name, hour);
    countSample(tally, sample);
    this.#tallies.set(key, tally);
  }
}

/** Writes what is due. Statistics never fail a settle. */
export async function writeDueStatistics(db: D1Database, statistics: Statistics, now: number): Promise<void> {
  const due = statistics.takeDue(now);
  if (due.length === 0) return;
  try {
    await addToStatistics(db, due);
  } catch (error) {
    logWarning('statistics.lost', { rows: due.length, cause: String(error) });
  }
}
