/**
 * Runs jobs: chunk by chunk, in every store, each chunk in one transaction with the job's position there. A redrive
 * starts its tasks by delayed wake-ups, at the pace that their services bear (`shared/job/job.ts`); a job whose
 * next start lies beyond the horizon goes on in the next round.
 *
 * Guarantee: each task that a job finds is moved once, wherever its runner dies: what is written carries its own
 * time to look at it (rule R1), what is not is found again. One runner works at a time, because paces are for all jobs.
 */

import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { ASSUMED_PER_SECOND, planStarts, redrivePerSecond, type StartRate } from '../../shared/job/job.ts';
import { logError, logInfo } from '../../shared/log.ts';
import { findTasks, type TaskFilter } from '../../shared/store/find.ts';
import {
  endJob,
  JOB_START,
  type JobChunk,
  type JobRow,
  readProgress,
  readRedriveStarts,
  readRunningJobs,
  releaseJobRunner,
  takeJobRunner,
  writeChunk,
  writeRedriveStarts,
} from '../../shared/store/jobs.ts';
import { objectsWithoutRow, purgeStatements, readStoredBodies } from '../../shared/store/lives.ts';
import { readStates } from '../../shared/store/read.ts';
import type { StateRow } from '../../shared/store/row.ts';
import type { Store } from '../../shared/store/stores.ts';
import { type MovedRow, transitionStatements } from '../../shared/store/transitions.ts';
import { isHookService } from '../../shared/webhook/hook.ts';
import type { CallbackEnv, StoreEnv } from '../env.ts';
import { tellEnds, toldMoves } from '../runs/messages.ts';
import { sendCancels, sendWakes } from '../wake.ts';
import { movesOf, type PlannedTask } from './chunk.ts';
import { ratesOfServices } from './rates.ts';

/** Statements of a round: D1 takes 1,000 queries an invocation (limits, November 2026), and a sweep needs its own. */
export const JOBS_A_ROUND = 320;
/** When somebody waits for a job to begin. */
export const JOBS_AT_ONCE = 40;

const CHUNK = 500;
/** What a chunk asks of the database, paces and finding included. */
const CHUNK_STATEMENTS = 8;

/** More wait for their turn. */
const MAX_JOBS = 20;

/** Starts are given away so far ahead: a round comes each minute, and may be late. */
const HORIZON_MS = 75_000;

/** Longer than a round lasts; a runner that died is followed after it. */
const RUNNER_MS = 120_000;

/** Rows outlive every message of their task (rule R6): the longest deadline, the queue's retention, and a day. */
const ROW_LIFE_MS = 12 * 86_400_000;

/** One job in one store. */
interface Part {
  readonly job: JobRow;
  readonly store: Store;
  /** Ids below it are still to be looked at; empty at the end. */
  position: string;
}

interface Round {
  readonly env: CallbackEnv;
  readonly clock: () => number;
  /** Until when starts are given away, by service. */
  readonly until: Map<string, number>;
  readonly rates: Map<string, StartRate>;
}

/** @param statements how much may be done @param clock Unix ms */
export async function runJobs(env: CallbackEnv, statements: number, clock: () => number): Promise<void> {
  const { control } = env.stores;
  const jobs = await readRunningJobs(control, MAX_JOBS);
  if (jobs.length === 0) return;
  const startedAt = clock();
  if (!(await takeJobRunner(control, startedAt + RUNNER_MS, startedAt))) return;
  try {
    await runAll({ env, clock, until: await readRedriveStarts(control), rates: new Map() }, jobs, statements);
  } finally {
    await releaseJobRunner(control, startedAt + RUNNER_MS);
  }
}

async function runAll(round: Round, jobs: readonly JobRow[], statements: number): Promise<void> {
  const { env, clock } = round;
  const endsAt = clock() + RUNNER_MS / 2;
  const { parts, away } = await partsOf(env, jobs);
  let left = statements;
  let turn = parts.filter(({ position }) => position !== '');
  while (turn.length > 0 && left > 0 && clock() < endsAt) {
    const next: Part[] = [];
    // Who was aborted meanwhile stops here.
    const running = new Set((await readRunningJobs(env.stores.control, MAX_JOBS)).map(({ id }) => id));
    for (const part of turn) {
      if (left <= 0 || !running.has(part.job.id)) continue;
      left -= CHUNK_STATEMENTS;
      try {
        if (await runChunk(round, part)) next.push(part);
      } catch (error) {
        away.add(part.job.id);
        logError('job.failed', { job: part.job.id, store: part.store.number }, error);
      }
    }
    turn = next;
  }
  for (const job of jobs) {
    const isAtEnd = parts.every((part) => part.job !== job || part.position === '');
    if (!isAtEnd || away.has(job.id)) continue;
    if (await endJob(env.stores.control, job.id, 'finished', clock()))
      logInfo('job.finished', { job: job.id, act: job.act, subject: job.subject });
  }
}

/** @returns `away`: jobs that cannot be seen in every store */
async function partsOf(env: CallbackEnv, jobs: readonly JobRow[]): Promise<{ parts: Part[]; away: Set<string> }> {
  const away = new Set<string>();
  const parts = await Promise.all(
    env.stores.all.map(async (store): Promise<Part[]> => {
      try {
        const ids = jobs.map(({ id }) => id);
        const begun = new Map((await readProgress(store.db, ids)).map(({ job, position }) => [job, position]));
        return jobs.map((job) => ({ job, store, position: begun.get(job.id) ?? JOB_START }));
      } catch (error) {
        for (const { id } of jobs) away.add(id);
        logError('store.failed', { store: store.number }, error);
        return [];
      }
    }),
  );
  return { parts: parts.flat(), away };
}

/** @returns whether there is more to do in this round */
async function runChunk(round: Round, part: Part): Promise<boolean> {
  const { env, clock } = round;
  const { job, store, position } = part;
  const { db } = store;
  const filter: TaskFilter = { ...(JSON.parse(job.filter) as TaskFilter), limit: CHUNK };
  const before = position === JOB_START ? undefined : position;
  const page = await findTasks(db, 'job', { ...filter, ...(before !== undefined && { before }) });
  const { nextBefore = '' } = page;
  // What tells of a task's end is not meant.
  const rows = page.rows.filter(({ service }) => !isHookService(service));
  const now = clock();
  const planned = job.act === 'redrive' ? await plan(round, job, rows, now) : rows.map(({ id }) => ({ id, at: now }));
  if (rows.length > 0 && planned.length === 0) return false;
  const to = planned.length < rows.length ? (planned.at(-1)?.id ?? '') : nextBefore;
  const chunk = { job: job.id, from: position, to, tasks: planned.length };
  await writeTasks({ ...env, db }, job, chunk, planned, now);
  part.position = to;
  return to !== '';
}

async function writeTasks(
  env: StoreEnv,
  { act, subject }: JobRow,
  chunk: JobChunk,
  planned: readonly PlannedTask[],
  now: number,
): Promise<void> {
  const { db } = env;
  const ids = planned.map(({ id }) => id);
  if (act === 'purge') {
    const stored = await readStoredBodies(db, ids);
    const { first, purging } = purgeStatements(db, ids, chunk, now - ROW_LIFE_MS, now);
    await writeChunk(db, chunk, first, purging);
    await deleteBodies(env.bodies, await objectsWithoutRow(db, stored));
    return;
  }
  const rows = await readStates(db, ids);
  const moves = movesOf(act, planned, rows, subject, now);
  const { first, moving } = transitionStatements(db, moves);
  const written = await writeChunk<MovedRow>(db, chunk, first, moving);
  const moved = new Map(written.map((row) => [row.id, row]));
  env.statistics.noteMoves(moves, moved, now);
  await tellEnds(env, toldMoves(moves, moved));
  await tell(env, act, planned, rows, moved, now);
}

/** What follows a recorded move only hastens things: the sweeper does it too. */
async function tell(
  env: StoreEnv,
  act: 'cancel' | 'redrive',
  planned: readonly PlannedTask[],
  rows: ReadonlyMap<string, StateRow>,
  moved: ReadonlyMap<string, MovedRow>,
  now: number,
): Promise<void> {
  try {
    if (act === 'redrive') {
      const wakes = planned.flatMap(({ id, at }) => {
        const row = moved.get(id);
        return row === undefined ? [] : [{ id, service: row.service, delayMs: at - now }];
      });
      return await sendWakes(env.taskQueues, wakes);
    }
    const working = [...moved.keys()].flatMap((id) => {
      const row = rows.get(id);
      return row?.status === 'waiting' ? [row] : [];
    });
    await sendCancels(env.taskQueues, working);
  } catch (error) {
    logError('wake.failed', { tasks: planned.length }, error);
  }
}

/** Which of the tasks start before the horizon, and when; their starts are given away. */
async function plan(
  { env, until, rates }: Round,
  { per_second }: JobRow,
  rows: readonly { readonly id: string; readonly service: string }[],
  now: number,
): Promise<PlannedTask[]> {
  const unknown = rows.map(({ service }) => service).filter((service) => !rates.has(service));
  for (const [service, pace] of await ratesOfServices(env, unknown, now)) rates.set(service, pace);
  const assumed: StartRate = { perSecond: ASSUMED_PER_SECOND, isKnown: false };
  const perSecond = new Map(
    rows.map(({ service }) => [service, redrivePerSecond(rates.get(service) ?? assumed, per_second ?? undefined)]),
  );
  const services = rows.map(({ service }) => service);
  const starts = planStarts(services, perSecond, until, now, HORIZON_MS);
  const touched = new Set(services.slice(0, starts.length));
  if (touched.size > 0) {
    await writeRedriveStarts(env.stores.control, new Map([...until].filter(([service]) => touched.has(service))));
  }
  return rows.slice(0, starts.length).map(({ id }, index) => ({ id, at: starts[index] ?? now }));
}
