/**
 * Counts what happens to tasks in this isolate's memory and adds it to the database in few rows: when
 * enough tasks share them, every two seconds at most, or when the oldest count has waited long enough. A count that an isolate takes
 * with it when it goes is lost; the tasks' rows are the record. Plain data, shared by the isolate's
 * requests.
 */
import { logWarning } from '../shared/log.ts';
import {
  addCounts,
  countDuration,
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
import { storeOfTask, taskCreatedAt } from '../shared/task/id.ts';
import { isTerminal } from '../shared/task/status.ts';
import { isHookService } from '../shared/webhook/hook.ts';

/** Tasks a row: with three kinds of rows this keeps statistics under 0.05 rows a task. */
const TASKS_PER_ROW = 25;

/** However many tasks share them: a write costs as much as claiming twenty tasks. */
const MIN_AGE_MS = 2_000;

/** Counts are shown at most this late where tasks are few. */
const MAX_AGE_MS = 10_000;

/** By name: the tally of the latest hour. */
function byKind(): Record<TallyKind, Map<string, Tally>> {
  return { service: new Map(), subject: new Map(), server: new Map(), store: new Map(), queue: new Map() };
}

export class Statistics {
  #tallies: Tally[] = [];
  #latest = byKind();
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

  /** How long a statement of a store took, or a queue to deliver. @param name which one */
  noteDuration(kind: 'store' | 'queue', name: string, ms: number, now: number): void {
    countDuration(this.#tally(kind, name, hourOf(now)), ms);
    this.#since ??= now;
  }

  /** What is to be written now; the caller writes it once. Empty: nothing is due. */
  takeDue(now: number): Tally[] {
    if (this.#since === undefined) return [];
    const isShared = this.#ended >= TASKS_PER_ROW * this.#tallies.length;
    if (now - this.#since < (isShared ? MIN_AGE_MS : MAX_AGE_MS)) return [];
    const due = this.#tallies;
    this.#tallies = [];
    this.#latest = byKind();
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
    const latest = this.#latest[kind].get(name);
    if (latest?.hour === hour) return latest;
    const tally = emptyTally(kind, name, hour);
    this.#latest[kind].set(name, tally);
    this.#tallies.push(tally);
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

/** @param id of a task in the store that did it */
export function noteStatement(
  { statistics }: { readonly statistics: Statistics },
  statement: 'claim' | 'settle',
  id: string | undefined,
  ms: number,
  now: number,
): void {
  if (id !== undefined) statistics.noteDuration('store', `${statement} ${storeOfTask(id)}`, ms, now);
}

/** Messages are counted together, whatever hook they are of, and are not among the tasks of their owner. */
const MESSAGES = 'webhook:*';

/** A task's first start, and the end of a wait; what a claim ended is neither. */
export function samplesOfClaims(rows: readonly ClaimedRow[], now: number): Sample[] {
  const samples: Sample[] = [];
  for (const { id, status, run, finished_at, reason, waits_since, service: name, subject: owner } of rows) {
    if (status === 'running' && waits_since !== null && reason !== null) {
      const isMessage = isHookService(name);
      samples.push({
        service: isMessage ? MESSAGES : name,
        subject: isMessage ? undefined : owner,
        at: now,
        event: { kind: 'waited', reason, waitMs: now - waits_since },
      });
      continue;
    }
    // A tombstone that the claim filled in had ended before.
    if (status === 'running' ? run !== 1 : finished_at !== now) continue;
    const waitedMs = now - taskCreatedAt(id);
    const isMessage = isHookService(name);
    samples.push({
      service: isMessage ? MESSAGES : name,
      subject: isMessage ? undefined : owner,
      at: now,
      event:
        status === 'running' ? { kind: 'started', afterMs: waitedMs } : { kind: 'ended', status, totalMs: waitedMs },
    });
  }
  return samples;
}

/** What the moves that were made say of attempts, deferrals and ends. */
export function samplesOfMoves(moves: readonly Move[], moved: ReadonlyMap<string, MovedRow>, now: number): Sample[] {
  const samples: Sample[] = [];
  for (const { id, expected, next, record } of moves) {
    const row = moved.get(id);
    if (row === undefined) continue;
    const isMessage = isHookService(row.service);
    const service = isMessage ? MESSAGES : row.service;
    const subject = isMessage ? undefined : row.subject;
    const server = isMessage ? undefined : record?.server;
    if (expected.status === 'running' && next.status === 'deferred') {
      // In a line nobody knows how long it will be; the claim that ends the wait does.
      const waitMs = next.parkedFor === undefined ? next.nextAt - now : undefined;
      samples.push({ service, subject, server, at: now, event: { kind: 'deferred', reason: next.reason, waitMs } });
    } else if (expected.status === 'running' && next.status !== 'running') {
      const callMs = record === undefined ? undefined : record.endedAt - record.startedAt;
      const event = { kind: 'attempt', callMs, failed: record?.outcome === 'failed' } as const;
      samples.push({ service, subject, server, at: now, event });
    }
    if (isTerminal(next.status) && !isTerminal(expected.status)) {
      const event = { kind: 'ended', status: next.status, totalMs: now - taskCreatedAt(id) } as const;
      samples.push({ service, subject, server, at: now, event });
    }
  }
  return samples;
}
