/**
 * The tasks of a service that is to be deleted: how many have not ended, and their end when it is deleted
 * all the same. A call under way ends by itself.
 */
import { countOpenTasksOf, readOpenTasksOf } from '../shared/store/open-tasks.ts';
import { stateOfRow } from '../shared/store/row.ts';
import { type Move, recordTransitions } from '../shared/store/transitions.ts';
import type { TaskError } from '../shared/task/attempt.ts';
import { transition } from '../shared/task/transition.ts';
import { inAllStores } from './by-store.ts';
import type { CallbackEnv, StoreEnv } from './env.ts';
import { tellEnds, toldMoves } from './messages.ts';
import { samplesOfMoves } from './statistics.ts';

/** More is said as this many. */
const MAX_COUNTED = 10_000;
const CHUNK = 500;

const DELETED: TaskError = { class: 'service-deleted', message: 'The service was deleted while the task waited.' };

export async function countOpenTasks(env: CallbackEnv, service: string): Promise<number> {
  const counts = await inAllStores(env, ({ db }) => countOpenTasksOf(db, service, MAX_COUNTED));
  return counts.reduce((sum, count) => sum + count, 0);
}

export async function endOpenTasks(env: CallbackEnv, service: string, now: number): Promise<void> {
  await inAllStores(env, (store) => endIn(store, service, now));
}

async function endIn({ db, statistics, taskQueues }: StoreEnv, service: string, now: number): Promise<void> {
  let after = '';
  for (;;) {
    const rows = await readOpenTasksOf(db, service, after, CHUNK);
    const moves = rows.flatMap((row): Move[] => {
      if (row.status === 'running') return [];
      const decision = transition(stateOfRow(row), { type: 'cancel', at: now });
      const expected = { status: row.status, run: row.run };
      return decision.ok ? [{ id: row.id, expected, next: decision.next, error: DELETED }] : [];
    });
    const moved = await recordTransitions(db, moves);
    statistics.note(samplesOfMoves(moves, moved, now), now);
    await tellEnds({ db, taskQueues }, toldMoves(moves, moved));
    if (rows.length < CHUNK) return;
    after = rows.at(-1)?.id ?? '';
  }
}
