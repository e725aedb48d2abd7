/**
 * Counts what happens to tasks in this isolate's memory and adds it to the database in few rows: when
 * enough tasks share them, every two seconds at most, or when the oldest count has waited long enough. A count that an isolate takes
 * with it when it goes is lost; the tasks' rows are the record. Plain data, shared by the isolate's
 * requests.
 */
import { logWarning } from '../shared/log.ts';
import {
  addTally,
  countAttempt,
  countDeferral,
  countDuration,
  countEnd,
  countStart,
  countWait,
  emptyTally,
  hourOf,
  type Tally,
  type TallyKind,
} from '../shared/statistics/tally.ts';
import type { ClaimedRow } from '../shared/store/row.ts';
import { addToStatistics } from '../shared/store/statistics.ts';
import type { Move, MovedRow } from '../shared/store/transitions.ts';
import { storeOfTask, taskCreatedAt } from '../shared/task/id.ts';
import { isTerminal, type TerminalStatus } from '../shared/task/status.ts';
import { isHookService } from '../shared/webhook/hook.ts';

/** Tasks a row: with three kinds of rows this keeps statistics under 0.05 rows a task. */
const TASKS_PER_ROW = 25;

/** However many tasks share them: a write costs as much as claiming twenty tasks. */
const MIN_AGE_MS = 2_000;

/** Counts are shown at most this late where tasks are few. */
const MAX_AGE_MS = 10_000;

/** Messages are counted together, whatever hook they are of, and are not among the tasks of their owner. */
const MESSAGES = 'webhook:*';

/** What is counted of the tasks of one service and submitter at one server in an hour. */
interface Group {
  readonly service: string;
  readonly subject: string;
  readonly server: string | undefined;
  readonly tally: Tally;
}

/** A row, without its numbers. */
type RowName = readonly [kind: TallyKind, name: string];

/** The rows that have the counts of such tasks. */
function rowsOf(service: string, subject: string, server: string | undefined): RowName[] {
  if (isHookService(service)) return [['service', MESSAGES]];
  const names: RowName[] = [
    ['service', service],
    ['subject', subject],
  ];
  return server === undefined ? names : [...names, ['server', server]];
}

export class Statistics {
  #groups: Group[] = [];
  /** By service, subject and server: the group of the latest hour. */
  #latest = new Map<string, Map<string, Map<string | undefined, Group>>>();
  /** Tasks of a batch are mostly of one group. */
  #last: Group | undefined;
  /** Of statements and deliveries, by kind and name. */
  #durations = new Map<string, Tally>();
  /** The rows that a write now would add to. */
  #rows = new Set<string>();
  #ended = 0;
  #since: number | undefined;
  #flushAt = 0;

  /** Tasks' first starts, and the ends of waits; a task that a claim ended is counted as ended. */
  noteClaims(rows: Iterable<ClaimedRow>, now: number): void {
    for (const { id, status, run, finished_at, reason, waits_since, service, subject } of rows) {
      if (status !== 'running') {
        // A tombstone that the claim filled in had ended before.
        if (finished_at === now) this.#end(this.#of(service, subject, undefined, now), status, id, finished_at);
      } else if (waits_since !== null && reason !== null) {
        countWait(this.#of(service, subject, undefined, now), reason, now - waits_since);
      } else if (run === 1) {
        countStart(this.#of(service, subject, undefined, now), now - taskCreatedAt(id));
      }
    }
  }

  /** What the moves that were made say of attempts, deferrals and ends. */
  noteMoves(moves: readonly Move[], moved: ReadonlyMap<string, MovedRow>, now: number): void {
    for (const { id, expected, next, record, from } of moves) {
      const row = moved.get(id);
      if (row === undefined) continue;
      const tally = this.#of(from ?? row.service, row.subject, record?.server, now);
      if (expected.status === 'running' && next.status === 'deferred') {
        // In a line nobody knows how long it will be; the claim that ends the wait does.
        countDeferral(tally, next.reason, next.parkedFor === undefined ? next.nextAt - now : undefined);
      } else if (expected.status === 'running' && next.status !== 'running') {
        const callMs = record === undefined ? undefined : record.endedAt - record.startedAt;
        countAttempt(tally, callMs, record?.outcome === 'failed');
      }
      if ('finishedAt' in next && !isTerminal(expected.status)) this.#end(tally, next.status, id, next.finishedAt);
    }
  }

  /** How long statements of a store took, or a queue to deliver. @param name which one */
  noteDurations(kind: 'store' | 'queue', name: string, durations: readonly number[], now: number): void {
    if (durations.length === 0) return;
    const hour = hourOf(now);
    const key = `${kind} ${hour} ${name}`;
    const known = this.#durations.get(key);
    const tally = known ?? emptyTally(kind, name, hour);
    if (known === undefined) {
      this.#durations.set(key, tally);
      this.#rows.add(key);
    }
    for (const ms of durations) countDuration(tally, ms);
    this.#since ??= now;
  }

  /** What is to be written now; the caller writes it once. Empty: nothing is due. */
  takeDue(now: number): Tally[] {
    if (this.#since === undefined) return [];
    const isShared = this.#ended >= TASKS_PER_ROW * this.#rows.size;
    if (now - this.#since < (isShared ? MIN_AGE_MS : MAX_AGE_MS)) return [];
    const due = [...sumByRow(this.#groups), ...this.#durations.values()];
    this.#groups = [];
    this.#latest = new Map();
    this.#last = undefined;
    this.#durations = new Map();
    this.#rows = new Set();
    this.#ended = 0;
    this.#since = undefined;
    return due;
  }

  /**
   * Says when what is left shall be written by whoever asks: undefined when nothing is left, or somebody
   * was told already. The caller that was told may be gone by then, so after that time another is told.
   */
  planFlush(now: number): number | undefined {
    if (this.#since === undefined || now < this.#flushAt) return undefined;
    this.#flushAt = this.#since + MAX_AGE_MS;
    return Math.max(0, this.#flushAt - now);
  }

  #end(tally: Tally, status: TerminalStatus, id: string, finishedAt: number): void {
    countEnd(tally, status, finishedAt - taskCreatedAt(id));
    this.#ended += 1;
  }

  #of(service: string, subject: string, server: string | undefined, now: number): Tally {
    const hour = hourOf(now);
    const last = this.#last;
    if (
      last !== undefined &&
      last.tally.hour === hour &&
      last.service === service &&
      last.subject === subject &&
      last.server === server
    ) {
      return last.tally;
    }
    this.#since ??= now;
    const known = this.#latest.get(service)?.get(subject)?.get(server);
    const group = known?.tally.hour === hour ? known : this.#begin(service, subject, server, hour);
    this.#last = group;
    return group.tally;
  }

  #begin(service: string, subject: string, server: string | undefined, hour: number): Group {
    const group = { service, subject, server, tally: emptyTally('service', service, hour) };
    const subjects = this.#latest.get(service) ?? new Map<string, Map<string | undefined, Group>>();
    const servers = subjects.get(subject) ?? new Map<string | undefined, Group>();
    this.#latest.set(service, subjects);
    subjects.set(subject, servers);
    servers.set(server, group);
    this.#groups.push(group);
    for (const [kind, name] of rowsOf(service, subject, server)) this.#rows.add(`${kind} ${hour} ${name}`);
    return group;
  }
}

function sumByRow(groups: readonly Group[]): Tally[] {
  const sums = new Map<string, Tally>();
  for (const { service, subject, server, tally } of groups) {
    for (const [kind, name] of rowsOf(service, subject, server)) {
      const key = `${kind} ${tally.hour} ${name}`;
      const sum = sums.get(key) ?? emptyTally(kind, name, tally.hour);
      sums.set(key, sum);
      addTally(sum, tally);
    }
  }
  return [...sums.values()];
}

/** Writes what is due; undefined where nothing is. Statistics never fail a settle. */
export function writeDueStatistics(db: D1Database, statistics: Statistics, now: number): Promise<void> | undefined {
  const due = statistics.takeDue(now);
  return due.length === 0 ? undefined : writeStatistics(db, due);
}

async function writeStatistics(db: D1Database, due: readonly Tally[]): Promise<void> {
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
  if (id !== undefined) statistics.noteDurations('store', `${statement} ${storeOfTask(id)}`, [ms], now);
}
