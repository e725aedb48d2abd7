/**
 * Sends the wake-ups of messages about tasks that have just ended (rule R24). Their rows carry them: what is not sent here, the
 * sweeper sends a minute later.
 */
import { logError } from '../../shared/log.ts';
import { readMessagesOf } from '../../shared/store/messages.ts';
import type { ClaimedRow } from '../../shared/store/row.ts';
import type { Move, MovedRow } from '../../shared/store/transitions.ts';
import { isTerminal } from '../../shared/task/status.ts';
import type { StoreEnv } from '../env.ts';
import { sendWakes } from '../wake.ts';

type Outbox = Pick<StoreEnv, 'db' | 'taskQueues'>;

/** Never fails: the ends are recorded. */
export async function tellEnds(env: Outbox, ended: readonly string[]): Promise<void> {
  if (ended.length === 0) return;
  try {
    const messages = await readMessagesOf(env.db, ended);
    await sendWakes(
      env.taskQueues,
      messages.map(({ id, service }) => ({ id, service, delayMs: 0 })),
    );
  } catch (error) {
    logError('messages.delayed', { tasks: ended.length }, error);
  }
}

/** The tasks among these moves that ended and whose end is told to somebody. */
export function toldMoves(moves: readonly Move[], moved: ReadonlyMap<string, MovedRow>): string[] {
  return moves.flatMap(({ id, next }) => (isTerminal(next.status) && moved.get(id)?.is_told === 1 ? [id] : []));
}

/** Those that a claim ended, or that turned out to have ended before their first message came. */
export function toldClaims(rows: readonly ClaimedRow[]): string[] {
  return rows.flatMap(({ id, status, is_told }) => (status !== 'running' && is_told === 1 ? [id] : []));
}
