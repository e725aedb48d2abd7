/**
 * Counts what happens to tasks in this isolate's memory and adds it to the database in few rows: when
 * enough tasks share them, every two seconds at most, or when the oldest count has waited long enough. A count that an isolate takes
 * with it when it goes is lost; the tasks' rows are the record. Plain data, shared by the isolate's
 * requests.
 */
import { logWarning } from '../shared/log.ts';
import {
  addCounts,
  countsOf,
  emptyTally,
  hourOf,
  type Sample,
  type Tally,
  type TallyKind,
} from '../shared/statistics/tally.ts';
import type { ClaimedRow } from '../shared/store/row.ts';
import { addToStatistics } from '../shared/store/statistics.ts';
import type { Move, MovedRow } from '../shared/store/transitions.ts';
import { taskCreatedAt } from '../shared/task/id.ts';
import { isTerminal } from '../shared/task/status.ts';
import { isHookService } from '../shared/webhook/hook.ts';

/** Tasks a row: with three kinds of rows this keeps statistics under 0.05 rows a task. */
const TASKS_PER_ROW = 25;

/** However many tasks share them: a write costs as much as claiming twenty tasks. */
const MIN_AGE_MS = 2_000;

/** Counts are shown at most this late where tasks are few. */
const MAX_AGE_MS = 10_000;

export class Statistics {
  #tallies = new Map<string, Tally>();
  #last: Partial<Record<TallyKind, Tally>> = {};
  #ended = 0;
  #since: number | undefined;
  #flushAt = 0;

  note(samples: readonly Sample[], now: number): void {
    for (const { service, subject, server, at, event } of samples) {
      const hour = hourOf(at);
      const counts = countsOf(event);
      addCounts(this.#tally('service', service, hour), counts);
      if (subject !== undefined) addCounts(this.#tally('subject', subject, hour), counts);
      if (server !== undefined) addCounts(this.#tally('server', server, hour), counts);
      if (event.kind === 'ended') this.#ended += 1;
    }
    if (samples.length > 0) this.#since ??= now;
  }

  /** What is to be written now; the caller writes it once. Empty: nothing is due. */
  takeDue(now: number): Tally[] {
    if (this.#since === undefined) return [];
    const isShared = this.#ended >= TASKS_PER_ROW * this.#tallies.size;
    if (now - this.#since < (isShared ? MIN_AGE_MS : MAX_AGE_MS)) return [];
    const due = [...this.#tallies.values()];
    this.#tallies = new Map();
    this.#last = {};
    this.#ended = 0;
    this.#since = undefined;
    return due;
  }

  /**
   * Says when what is left shall be written by whoever asks: undefined when nothing is left, or somebody
   * was told already. Who was told may be gone by then, so after that time somebody else is told.
   */
  planFlush(now: number): number | undefined {
    if (this.#since === undefined || now < this.#flushAt) return undefined;
    this.#flushAt = this.#since + MAX_AGE_MS;
    return Math.max(0, this.#flushAt - now);
  }

  #tally(kind: TallyKind, name: string, hour: number): Tally {
    // Most samples are counted where the one before was: looking that up would cost more than counting.
    const last = this.#last[kind];
    if (last?.name === name && last.hour === hour) return last;
    const key = `${kind} ${hour} ${name}`;
    const tally = this.#tallies.get(key) ?? emptyTally(kind, name, hour);
    this.#tallies.set(key, tally);
    this.#last[kind] = tally;
    return tally;
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

/** Messages are counted together, whatever hook they are of, and are not among the tasks of their owner. */
const MESSAGES = 'webhook:*';

function countedAs({ service, subject }: Pick<MovedRow, 'service' | 'subject'>) {
  return isHookService(service)
    ? { service: MESSAGES, subject: undefined, isMessage: true }
    : { service, subject, isMessage: false };
}

/** A task's first start; what a claim ended is not a start. */
export function samplesOfClaims(rows: readonly ClaimedRow[], now: number): Sample[] {
  return rows.flatMap(({ id, status, run, finished_at, ...row }): Sample[] => {
    const { service, subject } = countedAs(row);
    const waitedMs = now - taskCreatedAt(id);
    if (status === 'running') {
      if (run !== 1) return [];
      return [{ service, subject, at: now, event: { kind: 'started', afterMs: waitedMs } }];
    }
    // A tombstone that the claim filled in had ended before.
    if (finished_at !== now) return [];
    return [{ service, subject, at: now, event: { kind: 'ended', status, totalMs: waitedMs } }];
  });
}

/** What the moves that were made say of attempts, deferrals and ends. */
export function samplesOfMoves(moves: readonly Move[], moved: ReadonlyMap<string, MovedRow>, now: number): Sample[] {
  return moves.flatMap(({ id, expected, next, record }): Sample[] => {
    const row = moved.get(id);
    if (row === undefined) return [];
    const { service, subject, isMessage } = countedAs(row);
    const server = isMessage ? undefined : record?.server;
    const of = (event: Sample['event']): Sample => ({ service, subject, server, at: now, event });
    const samples: Sample[] = [];
    if (next.status === 'deferred' && expected.status === 'running') {
      samples.push(of({ kind: 'deferred', reason: next.reason }));
    } else if (expected.status === 'running' && next.status !== 'running') {
      const callMs = record === undefined ? undefined : record.endedAt - record.startedAt;
      samples.push(of({ kind: 'attempt', callMs, failed: record?.outcome === 'failed' }));
    }
    if (isTerminal(next.status) && !isTerminal(expected.status)) {
      samples.push(of({ kind: 'ended', status: next.status, totalMs: now - taskCreatedAt(id) }));
    }
    return samples;
  });
}
