/**
 * The minute's round: wakes what is due, catches what nothing would wake, forgets what is old. Every
 * step is bounded, guarded by what it read, and so safe to run twice at once.
 */
import {
  deleteOldTasks,
  makeDue,
  readDue,
  readScanPosition,
  scanForStrays,
  writeScanPosition,
} from '../shared/store/carrier.ts';
import { deleteExpiredRevocations } from '../shared/store/revocation.ts';
import { stateOfRow } from '../shared/store/row.ts';
import { type Move, recordTransitions } from '../shared/store/transitions.ts';
import { smallestTaskIdAt } from '../shared/task/id.ts';
import type { CallbackEnv } from './env.ts';
import { decideSweep } from './sweep-decision.ts';
import { sendWakes, type Wake } from './wake.ts';

/** Rows a statement, and statements a round: 10,000 due tasks a minute; the rest waits for the next. */
const DUE_ROWS = 500;
const DUE_CHUNKS = 20;

/** 5,000 rows a minute are 7.2 million a day, which cost under a cent. */
const SCAN_ROWS = 5_000;
const SCAN_NAME = 'strays';

/** 10,000 deletions a minute are 14 million a day. */
const RETENTION_ROWS = 1_000;
const RETENTION_CHUNKS = 10;

export interface SweepReport {
  readonly woken: number;
  readonly ended: number;
  readonly strays: number;
  readonly deleted: number;
}

export async function sweep(env: CallbackEnv, now: number): Promise<SweepReport> {
  const due = await sweepDue(env, now);
  const strays = await sweepStrays(env, now);
  const deleted = await sweepOld(env, now);
  await deleteExpiredRevocations(env.db, now);
  return { ...due, strays, deleted };
}

async function sweepDue(env: CallbackEnv, now: number): Promise<{ woken: number; ended: number }> {
  let woken = 0;
  let ended = 0;
  for (let chunk = 0; chunk < DUE_CHUNKS; chunk++) {
    const rows = await readDue(env.db, now, DUE_ROWS);
    const decisions = rows.map((row) => ({
      row,
      decision: decideSweep(stateOfRow(row), row.sends, now, Math.random()),
    }));
    const moves = decisions.map(({ row, decision }): Move => {
      const { wakeDelayMs: _, dueAt, error, record, ...rest } = decision;
      return {
        id: row.id,
        expected: { status: row.status, run: row.run, ...(row.due_at !== null && { dueAt: row.due_at }) },
        ...rest,
        ...(dueAt !== undefined && { dueAt }),
        ...(error !== undefined && { error }),
        ...(record !== undefined && { record }),
      };
    });
    const moved = await recordTransitions(env.db, moves);
    const wakes = decisions.flatMap(({ row, decision }): Wake[] =>
      decision.wakeDelayMs === undefined || !moved.has(row.id)
        ? []
        : [{ id: row.id, service: row.service, delayMs: decision.wakeDelayMs }],
    );
    await sendWakes(env.taskQueues, wakes);
    woken += wakes.length;
    ended += moves.filter(({ id, next }) => moved.has(id) && 'finishedAt' in next).length;
    if (rows.length < DUE_ROWS) break;
  }
  return { woken, ended };
}

/** One step of the net (rule R9); what it finds, the next round's due tasks deal with. */
async function sweepStrays(env: CallbackEnv, now: number): Promise<number> {
  const position = await readScanPosition(env.db, SCAN_NAME);
  const step = await scanForStrays(env.db, position, SCAN_ROWS, now);
  await makeDue(env.db, step.strays, now);
  if (step.position !== position) await writeScanPosition(env.db, SCAN_NAME, step.position);
  return step.strays.length;
}

async function sweepOld(env: CallbackEnv, now: number): Promise<number> {
  const cutoff = now - env.retentionMs;
  let deleted = 0;
  for (let chunk = 0; chunk < RETENTION_CHUNKS; chunk++) {
    const count = await deleteOldTasks(env.db, smallestTaskIdAt(cutoff), cutoff, RETENTION_ROWS);
    deleted += count;
    if (count < RETENTION_ROWS) break;
  }
  return deleted;
}
