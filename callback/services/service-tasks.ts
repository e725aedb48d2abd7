/**
 * The tasks of a service that is to be deleted: how many have not ended, and their end when it is deleted
 * all the same. A call under way ends by itself; a task that is only in a queue ends when it is called.
 */
import { MAX_DEADLINE_SECONDS } from '../../shared/service/definition.ts';
import { countOpenTasksOf, readCarriedTasksOf, readUncarriedTasksOf } from '../../shared/store/open-tasks.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import { type Move, recordTransitions } from '../../shared/store/transitions.ts';
import type { TaskError } from '../../shared/task/attempt.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import { transition } from '../../shared/task/transition.ts';
import { inAllStores } from '../by-store.ts';
import type { CallbackEnv, StoreEnv } from '../env.ts';
import { tellEnds, toldMoves } from '../runs/messages.ts';

type EndingEnv = Pick<CallbackEnv, 'statistics' | 'taskQueues'>;

/** More is said as this many. */
const MAX_COUNTED = 10_000;
const CHUNK = 500;

const DELETED: TaskError = { class: 'service-deleted', message: 'The service was deleted while the task waited.' };

export async function countOpenTasks(env: Pick<CallbackEnv, 'stores'>, service: string, now: number): Promise<number> {
  const since = oldestCarried(now);
  const counts = await inAllStores(env, ({ db }) => countOpenTasksOf(db, service, since, MAX_COUNTED));
  return counts.reduce((sum, count) => sum + count, 0);
}

export async function endOpenTasks(
  env: EndingEnv & Pick<CallbackEnv, 'stores'>,
  service: string,
  now: number,
): Promise<void> {
  await inAllStores(env, (store) => endIn(store, service, now));
}

async function endIn(store: EndingEnv & Pick<StoreEnv, 'db'>, service: string, now: number): Promise<void> {
  let rows: StateRow[];
  let moved: number;
  do {
    rows = await readUncarriedTasksOf(store.db, service, CHUNK);
    moved = await endThese(store, rows, now);
    // What was moved is gone from among them; where nothing moved, others are at work on the rest.
  } while (rows.length === CHUNK && moved > 0);
  let after = oldestCarried(now);
  do {
    rows = await readCarriedTasksOf(store.db, service, after, CHUNK);
    await endThese(store, rows, now);
    after = rows.at(-1)?.id ?? after;
  } while (rows.length === CHUNK);
}

async function endThese(
  { db, statistics, taskQueues }: EndingEnv & Pick<StoreEnv, 'db'>,
  rows: readonly StateRow[],
  now: number,
): Promise<number> {
  const moves = rows.flatMap((row): Move[] => {
    const decision = transition(stateOfRow(row), { type: 'cancel', at: now });
    const expected = { status: row.status, run: row.run };
    return decision.ok ? [{ id: row.id, expected, next: decision.next, error: DELETED }] : [];
  });
  const moved = await recordTransitions(db, moves);
  statistics.noteMoves(moves, moved, now);
  await tellEnds({ db, taskQueues }, toldMoves(moves, moved));
  return moved.size;
}

/** No task lives longer, unless it is run again. */
function oldestCarried(now: number): string {
  return smallestTaskIdAt(now - MAX_DEADLINE_SECONDS * 1000);
}
