/**
 * Records outcomes. Each is first tried as the next state of the run that the consumer was granted;
 * where the row has moved meanwhile, it is tried once more against what the row says now, so that a
 * late success still counts and a stale failure changes nothing. The message's disposition is read from the
 * row in every case, which makes a repeated settle harmless.
 */
import type { Settled, Settlement } from '../../shared/ledger/contract.ts';
import { logError } from '../../shared/log.ts';
import { eachAlone } from '../../shared/store/parameter.ts';
import { readStates } from '../../shared/store/read.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import { type Move, ownDueAt, recordTransitions } from '../../shared/store/transitions.ts';
import { ACK, type Disposition, dispositionOf } from '../../shared/task/disposition.ts';
import type { TaskState } from '../../shared/task/state.ts';
import { isTerminal } from '../../shared/task/status.ts';
import { type TaskEvent, transition } from '../../shared/task/transition.ts';
import { answerByStore } from '../by-store.ts';
import type { CallbackEnv, StoreEnv } from '../env.ts';
import { noteStatement } from '../statistics.ts';
import { fallBack, wakeFallen } from './fallback.ts';
import { tellEnds, toldMoves } from './messages.ts';

/** How long a message waits whose row cannot be read. */
const UNREADABLE_DELAY_MS = 60_000;

/** Outcomes of tasks whose store does not answer are left out. */
export function settleAttempts(env: CallbackEnv, settlements: readonly Settlement[], now: number): Promise<Settled[]> {
  return answerByStore(
    env,
    settlements,
    ({ id }) => id,
    (store, part) => settleAttemptsIn(store, part, now),
  );
}

async function settleAttemptsIn(env: StoreEnv, settlements: readonly Settlement[], now: number): Promise<Settled[]> {
  const settled = new Map<string, Settled>();
  await settleAs(env, settlements, settled, now, ({ state }) => state);

  const refused = settlements.filter(({ id }) => !settled.has(id));
  if (refused.length > 0) {
    const rows = await readStates(
      env.db,
      refused.map(({ id }) => id),
    );
    await settleAs(env, refused, settled, now, ({ id }) => stateIn(rows, id));
    await describeRest(env, refused, settled, now);
  }
  return settlements.map(({ id }) => settled.get(id) ?? { id, status: 'absent', disposition: ACK });
}

/** Moves what `stateFor` and the transition table allow, and notes the disposition of what moved. */
async function settleAs(
  env: StoreEnv,
  settlements: readonly Settlement[],
  settled: Map<string, Settled>,
  now: number,
  stateFor: (settlement: Settlement) => TaskState | undefined,
): Promise<void> {
  const moves = settlements.flatMap((settlement) => {
    try {
      const state = stateFor(settlement);
      const move = state === undefined ? undefined : moveOf(settlement, state, now);
      return move === undefined ? [] : [move];
    } catch (error) {
      logError('task.unreadable', { id: settlement.id }, error);
      return [];
    }
  });
  const refused = new Map<string, unknown>();
  const write = async (part: readonly Move[]) => [...(await recordTransitions(env.db, part))];
  const beganAt = performance.now();
  const moved = new Map(await eachAlone(moves, write, ({ id }, error) => refused.set(id, error)));
  noteStatement(env, 'settle', moves[0]?.id, performance.now() - beganAt, now);
  if (refused.size > 0) {
    const ends = settlements.flatMap((settlement) => {
      const error = refused.get(settlement.id);
      if (error === undefined) return [];
      logError('settlement.refused', { id: settlement.id }, error);
      const state = stateFor(settlement);
      const end = state === undefined ? undefined : moveOf(unwritable(settlement), state, now);
      return end === undefined ? [] : [end];
    });
    const onRefused = ({ id }: Move, error: unknown) => logError('settlement.refused', { id }, error);
    for (const [id, row] of await eachAlone(ends, write, onRefused)) moved.set(id, row);
    moves.push(...ends);
  }
  for (const { id, next, service } of moves) {
    if (!moved.has(id)) continue;
    const disposition: Disposition = service === undefined ? dispositionOf(next, ownDueAt(next), now) : ACK;
    settled.set(id, { id, status: next.status, disposition });
  }
  await wakeFallen(
    env,
    moves.filter(({ id }) => moved.has(id)),
  );
  await tellEnds(env, toldMoves(moves, moved));
  env.statistics.noteMoves(moves, moved, now);
}

/** An outcome that the database does not take: another attempt would come to the same, so the task ends and says so. */
function unwritable({ id, state, event }: Settlement): Settlement {
  const message = 'The outcome of the attempt cannot be stored: the database refuses a value of it.';
  return {
    id,
    state,
    event: { type: 'fail', at: event.at, run: event.run, retryable: false, delayMs: 0 },
    error: { class: 'unstorable', message },
  };
}

function moveOf(settlement: Settlement, state: TaskState, now: number): Move | undefined {
  const { id, event, result, storedResult, error, server, record } = settlement;
  const decision = transition(state, event);
  if (!decision.ok) return undefined;
  const { next } = decision;
  const fallen = event.type === 'fail' ? fallBack(id, state, next, settlement, now) : undefined;
  if (fallen !== undefined) return fallen;
  // The deadline may have cut the delay short; the record says what came of it.
  const timing = 'nextAt' in next ? { nextAt: next.nextAt, delayMs: Math.max(0, next.nextAt - event.at) } : {};
  return {
    id,
    expected: { status: state.status, run: state.run },
    next,
    ...(event.type === 'succeed' && { settled: { run: event.run, status: 'succeeded' as const } }),
    ...(event.type === 'fail' && { settled: { run: event.run, status: 'failed' as const } }),
    ...(result !== undefined && { result }),
    ...(storedResult !== undefined && { storedResult }),
    ...(error !== undefined && { error }),
    ...(server !== undefined && { server }),
    ...(event.type === 'defer' && event.park !== undefined && { park: againIn(event.park, event.at) }),
    ...(record !== undefined && {
      record: withoutStaleTimes({ ...record, ...timing }, next),
    }),
  };
}

type Park = NonNullable<Extract<TaskEvent, { type: 'defer' }>['park']>;

function againIn({ isAgain = false, isBehind = false }: Park, at: number) {
  return { at, isAgain, isBehind };
}

/** An attempt that turned out to be the last one has no next. */
function withoutStaleTimes<
  Kept extends { nextAt?: number | undefined; delayMs?: number | undefined; delayReason?: string | undefined },
>(record: Kept, next: TaskState): Kept {
  if (!isTerminal(next.status)) return record;
  return record.delayMs === undefined
    ? record
    : { ...record, nextAt: undefined, delayMs: undefined, delayReason: undefined };
}

/** What was not recorded: its message follows the row as it stands. */
async function describeRest(
  env: StoreEnv,
  refused: readonly Settlement[],
  settled: Map<string, Settled>,
  now: number,
): Promise<void> {
  const rest = refused.filter(({ id }) => !settled.has(id)).map(({ id }) => id);
  for (const [id, row] of await readStates(env.db, rest)) {
    try {
      settled.set(id, {
        id,
        status: row.status,
        disposition: dispositionOf(stateOfRow(row), row.due_at ?? undefined, now),
      });
    } catch (error) {
      logError('task.unreadable', { id }, error);
      settled.set(id, { id, status: row.status, disposition: { kind: 'retry', delayMs: UNREADABLE_DELAY_MS } });
    }
  }
}

function stateIn(rows: ReadonlyMap<string, StateRow>, id: string): TaskState | undefined {
  const row = rows.get(id);
  return row === undefined ? undefined : stateOfRow(row);
}
