/**
 * The minute's round: wakes what is due, catches what nothing would wake, forgets what is old. Each kind of
 * work has its own share of a round and its own errors (rules R21 and R23): a flood of one, or a statement
 * that fails, delays no other. Every step is bounded, guarded by what it read, and so safe to run twice at
 * once.
 */
import { logError } from '../../shared/log.ts';
import { ALL_KINDS, hourOf, KEPT_DAYS } from '../../shared/statistics/tally.ts';
import { forgetDeadLetters } from '../../shared/store/alerts.ts';
import { deleteOldActs } from '../../shared/store/audit.ts';
import {
  DUE_KINDS,
  type DueKind,
  makeDue,
  readDue,
  readScanPosition,
  SWEPT_NAME,
  scanForStrays,
  writeScanPosition,
} from '../../shared/store/carrier.ts';
import { forgetFinds } from '../../shared/store/find.ts';
import { forgetExpiredKeys } from '../../shared/store/idempotency.ts';
import { deleteOldJobs, deleteOldProgress, forgetRedriveStarts } from '../../shared/store/jobs.ts';
import { deleteOldLineRates, makeOverdueHeadsDue, readLines, releaseDueHeads } from '../../shared/store/parking.ts';
import { deleteExpiredRevocations } from '../../shared/store/revocation.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import { deleteOldStatistics } from '../../shared/store/statistics.ts';
import type { Store } from '../../shared/store/stores.ts';
import { type Move, recordTransitions } from '../../shared/store/transitions.ts';
import { forgetTurns } from '../../shared/store/turns.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import type { CallbackEnv, StoreEnv } from '../env.ts';
import { sweepGroups } from '../groups.ts';
import { wakeFallen } from '../runs/fallback.ts';
import { handOver } from '../runs/hand-over.ts';
import { tellEnds, toldMoves } from '../runs/messages.ts';
import { writeDueStatistics } from '../statistics.ts';
import type { Wake } from '../wake.ts';
import { sweepOrphans } from './orphans.ts';
import { forgetOld } from './retention.ts';
import { watchStores } from './store-watch.ts';
import { decideSweep, type SweepDecision } from './sweep-decision.ts';
import { wakeAtKeys } from './wake-at-keys.ts';

const DAY_MS = 86_400_000;

/** Rows a statement, and statements a round and kind: 5,000 due tasks a minute; the rest waits for the next. */
const DUE_ROWS = 500;
const DUE_CHUNKS = 10;

/** Lines a round whose heads are looked at; with more, each has its turn. */
const LINES = 500;

/** Of these lines so many tasks are looked at, and ended, each minute: 500 long lines cost half a dollar a month, not forty. */
const LINES_IN_TURN = 4;
const OVERDUE_HEADS = 500;
const LINES_NAME = 'lines';
const PACE_LIFE_MS = DAY_MS;

/** 5,000 rows a minute are 7.2 million a day, which cost under a cent. */
const SCAN_ROWS = 5_000;
const SCAN_NAME = 'strays';

/**
 * D1 takes 1,000 queries an invocation (Cloudflare's limits, November 2026). A store with nothing to do costs
 * 15; one where everything is to be done 180, which happens to few of them in the same minute.
 */
const STORES_A_ROUND = 32;
const ROUND_MS = 60_000;

/** 5,000 keys a minute are 7.2 million a day. */
const KEY_ROWS = 5_000;
const KEYS_NAME = 'idempotency-keys';

/** Of each kind. */
const STATISTICS_ROWS = 10_000;
const STATISTICS_MINUTE = 30;

const FIND_ROWS = 5_000;
const FINDS_NAME = 'finds';
/** Who changed what is asked about for a year and more. */
const AUDIT_KEPT_MS = 400 * DAY_MS;
const AUDIT_ROWS = 1_000;

/** Ended ones; progress is kept for longer than any job runs. */
const JOBS_KEPT_MS = 30 * DAY_MS;
const PROGRESS_KEPT_MS = 60 * DAY_MS;
const JOB_ROWS = 1_000;

const TURN_ROWS = 1_000;
const TURNS_NAME = 'turns';

export interface SweepReport {
  readonly woken: number;
  readonly ended: number;
  readonly strays: number;
  readonly deleted: number;
  readonly bodiesDeleted: number;
  /** Bodies in the bucket that nothing led to. */
  readonly orphans: number;
}

const NOTHING: SweepReport = { woken: 0, ended: 0, strays: 0, deleted: 0, bodiesDeleted: 0, orphans: 0 };

type Share = (env: StoreEnv, now: number) => Promise<Partial<SweepReport>>;

/** In the order of who is waiting for it; each runs in every store. */
const SHARES: readonly (readonly [name: string, share: Share])[] = [
  ...DUE_KINDS.map(
    (kind) => [kind, (env, now) => sweepDue(env, kind, now)] as const satisfies readonly [string, Share],
  ),
  ['lines', sweepLines],
  ['strays', sweepStrays],
  ['retention', (env, now) => forgetOld(env.db, env, now)],
  ['groups', sweepGroups],
  ['finds', sweepFinds],
  ['job progress', sweepJobProgress],
  ['turns', sweepTurns],
];

/** Of tables that are in the control database alone. */
const CONTROL_SHARES: typeof SHARES = [
  ['note', noteRound],
  ['revocations', sweepRevocations],
  ['idempotency keys', sweepIdempotencyKeys],
  ['statistics', sweepStatistics],
  ['audit', sweepAudit],
  ['jobs', sweepJobs],
  ['orphans', async (env, now) => ({ orphans: await sweepOrphans(env, now) })],
  ['stores', (env, now) => watchStores(env, now).then(() => ({}))],
];

export async function sweep(env: CallbackEnv, now: number): Promise<SweepReport> {
  const stores = storesOfRound(env.stores.all, now);
  const { control } = env.stores;
  const reports = await Promise.all([
    ...stores.map((store) => sweepStore({ ...env, db: store.db }, SHARES, store.number, now)),
    sweepStore({ ...env, db: control }, CONTROL_SHARES, 0, now),
  ]);
  return reports.reduce(sum, NOTHING);
}

/** Stores beside each other: one that does not answer holds up no other. */
async function sweepStore(env: StoreEnv, shares: typeof SHARES, store: number, now: number): Promise<SweepReport> {
  let report = NOTHING;
  for (const [name, share] of shares) {
    try {
      report = sum(report, await share(env, now));
    } catch (error) {
      logError('sweep.failed', { share: name, store }, error);
    }
  }
  return report;
}

/** All of them, or with many of them each in its turn. */
export function storesOfRound<Any extends Pick<Store, 'number'>>(all: readonly Any[], now: number): readonly Any[] {
  const rounds = Math.ceil(all.length / STORES_A_ROUND);
  const turn = Math.floor(now / ROUND_MS) % rounds;
  return all.filter((_, index) => index % rounds === turn);
}

function sum(report: SweepReport, more: Partial<SweepReport>): SweepReport {
  const { woken = 0, ended = 0, strays = 0, deleted = 0, bodiesDeleted = 0, orphans = 0 } = more;
  return {
    woken: report.woken + woken,
    ended: report.ended + ended,
    strays: report.strays + strays,
    deleted: report.deleted + deleted,
    bodiesDeleted: report.bodiesDeleted + bodiesDeleted,
    orphans: report.orphans + orphans,
  };
}

async function sweepDue(env: StoreEnv, kind: DueKind, now: number): Promise<Partial<SweepReport>> {
  let woken = 0;
  let ended = 0;
  for (let chunk = 0; chunk < DUE_CHUNKS; chunk++) {
    const rows = await readDue(env.db, kind, now, DUE_ROWS);
    const decisions = rows.flatMap((row) => decisionFor(row, now));
    const handedOver = await handOver(env.db, decisions, now);
    const moves = decisions.map(({ row, decision }) => handedOver.get(row.id) ?? moveOf(row, decision));
    const moved = await recordTransitions(env.db, moves);
    env.statistics.noteMoves(moves, moved, now);
    await tellEnds(env, toldMoves(moves, moved));
    const wakes = decisions.flatMap(({ row, decision }): Wake[] =>
      decision.wakeDelayMs === undefined || !moved.has(row.id) || handedOver.has(row.id)
        ? []
        : [{ id: row.id, service: row.service, delayMs: decision.wakeDelayMs }],
    );
    await wakeAtKeys(env, wakes);
    await wakeFallen(
      env,
      moves.filter(({ id }) => moved.has(id)),
    );
    woken += wakes.length;
    ended += moves.filter(({ id, next }) => moved.has(id) && 'finishedAt' in next).length;
    if (rows.length < DUE_ROWS) break;
  }
  return { woken, ended };
}

interface Decided {
  readonly row: StateRow;
  readonly decision: SweepDecision;
}

/** A row that cannot be read is left for a person, and named; the others go on (rule R21). */
function decisionFor(row: StateRow, now: number): Decided[] {
  try {
    return [{ row, decision: decideSweep(stateOfRow(row), row.sends, now, Math.random()) }];
  } catch (error) {
    logError('task.unreadable', { id: row.id }, error);
    return [];
  }
}

function moveOf(row: StateRow, decision: SweepDecision): Move {
  const { wakeDelayMs: _, dueAt, error, record, ...rest } = decision;
  return {
    id: row.id,
    expected: { status: row.status, run: row.run, ...(row.due_at !== null && { dueAt: row.due_at }) },
    ...rest,
    ...(dueAt !== undefined && { dueAt }),
    ...(error !== undefined && { error }),
    ...(record !== undefined && { record }),
  };
}

/** The fallback of parked tasks (rule R20): of each line the oldest, when its time has come. */
async function sweepLines(env: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  const position = await readScanPosition(env.db, LINES_NAME);
  const lines = await readLines(env.db, position, LINES);
  await endOverdueHeads(env, lines, now);
  const heads = await releaseDueHeads(env.db, lines, now);
  const wakes = heads.map(({ id, service, line }) => ({ id, service, line, delayMs: 0 }));
  await wakeAtKeys(env, wakes);
  const next = lines.length < LINES ? '' : (lines.at(-1) ?? '');
  if (next !== position) await writeScanPosition(env.db, LINES_NAME, next);
  await deleteOldLineRates(env.db, now - PACE_LIFE_MS);
  return { woken: heads.length };
}

/**
 * Tasks past their deadline stand mostly at the head of their line, one behind the other: it is looked through where its head is
 * one of them. Others stand behind tasks that have more time: a few lines are looked through in turn, and the net finds the rest.
 */
async function endOverdueHeads({ db }: StoreEnv, lines: readonly string[], now: number): Promise<void> {
  const inTurn = linesInTurn(lines, now);
  const others = lines.filter((line) => !inTurn.includes(line));
  const overdue = others.length === 0 ? [] : await makeOverdueHeadsDue(db, others, 1, now);
  await makeOverdueHeadsDue(db, [...inTurn, ...overdue], OVERDUE_HEADS, now);
}

function linesInTurn(lines: readonly string[], now: number): string[] {
  const first = Math.floor(now / ROUND_MS) * LINES_IN_TURN;
  const count = Math.min(LINES_IN_TURN, lines.length);
  return Array.from({ length: count }, (_, index) => lines[(first + index) % lines.length] ?? '');
}

/** One step of the net (rule R9); what it finds, the next round's due tasks deal with. */
async function sweepStrays(env: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  const position = await readScanPosition(env.db, SCAN_NAME);
  const step = await scanForStrays(env.db, position, SCAN_ROWS, now);
  await makeDue(env.db, step.strays, now);
  if (step.position !== position) await writeScanPosition(env.db, SCAN_NAME, step.position);
  return { strays: step.strays.length };
}

/** What is watched to know that rounds go on. */
async function noteRound({ db }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  await writeScanPosition(db, SWEPT_NAME, String(now));
  await forgetDeadLetters(db, hourOf(now));
  return {};
}

async function sweepRevocations(env: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  await deleteExpiredRevocations(env.db, now);
  return {};
}

async function sweepIdempotencyKeys({ db: control }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  const position = await readScanPosition(control, KEYS_NAME);
  const next = await forgetExpiredKeys(control, position, KEY_ROWS, now);
  if (next !== position) await writeScanPosition(control, KEYS_NAME, next);
  return {};
}

async function sweepStatistics({ db, statistics }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  await writeDueStatistics(db, statistics, now);
  // Rows of an hour grow old together: to look once an hour is enough.
  if (new Date(now).getUTCMinutes() !== STATISTICS_MINUTE) return {};
  for (const kind of ALL_KINDS) {
    await deleteOldStatistics(db, kind, hourOf(now - KEPT_DAYS[kind] * DAY_MS), STATISTICS_ROWS);
  }
  return {};
}

/** What led to tasks that retention has deleted. */
async function sweepFinds({ db, retentionMs }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  const position = await readScanPosition(db, FINDS_NAME);
  const next = await forgetFinds(db, position, FIND_ROWS, smallestTaskIdAt(now - retentionMs));
  if (next !== position) await writeScanPosition(db, FINDS_NAME, next);
  return {};
}

async function sweepAudit(
  { stores: { control } }: Pick<CallbackEnv, 'stores'>,
  now: number,
): Promise<Partial<SweepReport>> {
  await deleteOldActs(control, now - AUDIT_KEPT_MS, AUDIT_ROWS);
  return {};
}

async function sweepTurns({ db }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  const position = await readScanPosition(db, TURNS_NAME);
  const next = await forgetTurns(db, position, TURN_ROWS, now);
  if (next !== position) await writeScanPosition(db, TURNS_NAME, next);
  return {};
}

async function sweepJobs({ db: control }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  await deleteOldJobs(control, now - JOBS_KEPT_MS, JOB_ROWS);
  await forgetRedriveStarts(control, now - JOBS_KEPT_MS);
  return {};
}

async function sweepJobProgress({ db }: StoreEnv, now: number): Promise<Partial<SweepReport>> {
  await deleteOldProgress(db, now - PROGRESS_KEPT_MS, JOB_ROWS);
  return {};
}
