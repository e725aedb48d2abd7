/**
 * Closing and cancelling groups. The request is written first (`cancelled_at`), so a cancellation that does not come to its end,
 * because the group is large or the Worker dies, is gone on with by the sweeper. Safe to run twice at once.
 */
import type { GroupRequest } from '../shared/ledger/rpc.ts';
import { logError } from '../shared/log.ts';
import {
  closeGroup,
  forgetGroupStores,
  forgetGroups,
  type GroupName,
  type GroupRow,
  readCancellingGroups,
  readGroup,
  readOpenOfGroup,
} from '../shared/store/groups.ts';
import { type StateRow, stateOfRow } from '../shared/store/row.ts';
import { type Move, recordTransitions } from '../shared/store/transitions.ts';
import { transition } from '../shared/task/transition.ts';
import type { CallbackEnv, StoreEnv } from './env.ts';
import { tellEnds, toldMoves } from './runs/messages.ts';
import { sendCancels, sendWakes } from './wake.ts';

/** Tasks a statement, and statements for whoever waits, or a round: 10,000 tasks at once, the rest by the sweeper. */
const CHUNK = 500;
const CHUNKS = 20;

/** Groups a round. */
const GROUPS = 5;
const FORGOTTEN = 500;

/** @returns undefined when there is no such group */
export async function changeGroup(env: CallbackEnv, request: GroupRequest, now: number): Promise<GroupRow | undefined> {
  const { subject, name, store, act } = request;
  const db = env.stores.find(store)?.db;
  if (db === undefined) throw new Error(`store ${store} is not bound`);
  const inStore = { ...env, db };
  const closed = await closeGroup(db, { subject, name }, act === 'cancel', now);
  if (closed === undefined) return undefined;
  if (act === 'cancel' && closed.ended_at === null) await cancelTasks(inStore, closed, now);
  const row = await readGroup(db, { subject, name });
  // Its last task had ended before it was closed: nobody else tells of its end.
  if (closed.ended_at !== null && closed.on_complete !== null) await wakeMessage(inStore, closed);
  return row;
}

async function wakeMessage(
  { taskQueues }: Pick<CallbackEnv, 'taskQueues'>,
  { message, on_complete }: GroupRow,
): Promise<void> {
  try {
    const { service } = JSON.parse(on_complete ?? '{}') as { service: string };
    await sendWakes(taskQueues, [{ id: message, service, delayMs: 0 }]);
  } catch (error) {
    logError('messages.delayed', { id: message }, error);
  }
}

/** @returns how many were cancelled */
async function cancelTasks(env: StoreEnv, group: GroupName, now: number): Promise<number> {
  let after = '';
  let cancelled = 0;
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const { rows, last } = await readOpenOfGroup(env.db, group, after, CHUNK);
    const moves = rows.flatMap((row) => cancellation(row, now));
    const moved = await recordTransitions(env.db, moves);
    cancelled += moved.size;
    env.statistics.noteMoves(moves, moved, now);
    await tellEnds(env, toldMoves(moves, moved));
    await tellBackends(
      env,
      rows.filter(({ id, status }) => status === 'waiting' && moved.has(id)),
    );
    if (last === undefined) break;
    after = last;
  }
  return cancelled;
}

function cancellation(row: StateRow, now: number): Move[] {
  try {
    const decision = transition(stateOfRow(row), { type: 'cancel', at: now });
    return decision.ok ? [{ id: row.id, expected: { status: row.status, run: row.run }, next: decision.next }] : [];
  } catch (error) {
    // A row that cannot be read is left for a person, and named (rule R21).
    logError('task.unreadable', { id: row.id }, error);
    return [];
  }
}

/** A consumer that holds a task sees the cancellation itself; a backend that works on its own is told. */
async function tellBackends(
  { taskQueues }: Pick<CallbackEnv, 'taskQueues'>,
  waiting: readonly StateRow[],
): Promise<void> {
  try {
    await sendCancels(taskQueues, waiting);
  } catch (error) {
    logError('cancel.untold', { tasks: waiting.length }, error);
  }
}

/** The minute's round: goes on with cancellations, and forgets what is old. */
export async function sweepGroups(env: StoreEnv, now: number): Promise<{ readonly ended: number }> {
  let ended = 0;
  for (const group of await readCancellingGroups(env.db, GROUPS)) ended += await cancelTasks(env, group, now);
  const forgotten = await forgetGroups(env.db, now - env.retentionMs, FORGOTTEN);
  await forgetGroupStores(env.stores.control, forgotten);
  return { ended };
}
