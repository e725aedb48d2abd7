/**
 * Outcomes that travel (rule R25). What a call came to and the ledger did not take within the settle's retries, because
 * its store is away, goes on as a message of its own in the place of its task's. So the call is not made again when the
 * lease runs out, however long the store is away, unless the queue does not take the message either.
 */
import type { ClaimSession, Settled, Settlement } from '../../shared/ledger/contract.ts';
import { logError } from '../../shared/log.ts';
import { outcomeMessage, wakeMessage } from '../../shared/message/task-message.ts';
import type { Deliveries } from './deliveries.ts';
import type { Inbox } from './inbox.ts';

/** The first look whether the store is back; further ones come as for any message while the database is away (rule R16). */
const FIRST_LOOK_MS = 2_000;

/** Tasks that were not called, or that are to be called at another time, may as well run again: they keep their messages. */
export function carryOutcomes(unrecorded: readonly Settlement[], { tasks }: Inbox, deliveries: Deliveries): void {
  for (const settlement of unrecorded) {
    const { id, event } = settlement;
    const message = tasks.get(id);
    if (event.type === 'defer' || message === undefined) continue;
    const service = message.kind === 'task' ? message.task.service : message.service;
    deliveries.exchange(id, outcomeMessage(id, service, event.run, { ...settlement }), FIRST_LOOK_MS);
  }
}

/**
 * Records what came with this batch's messages. What the ledger does not take comes again, later each time.
 * @param tellAccepted a backend works on a task that was cancelled before its 202 could be recorded
 */
export async function settleCarried(
  ledger: Pick<ClaimSession, 'settle'>,
  { outcomes }: Inbox,
  deliveries: Deliveries,
  tellAccepted: (id: string, service: string, server: string | undefined) => Promise<void>,
): Promise<void> {
  if (outcomes.size === 0) return;
  let settled: readonly Settled[];
  try {
    // The ledger reads each of them by itself.
    settled = await ledger.settle([...outcomes.values()].map(({ settlement }) => settlement as unknown as Settlement));
  } catch (error) {
    logError('outcome.waits', { tasks: outcomes.size }, error);
    return;
  }
  const answers = new Map(settled.map((answer) => [answer.id, answer]));
  for (const [key, { id, service, settlement }] of outcomes) {
    const answer = answers.get(id);
    if (answer === undefined) continue;
    const { status, disposition } = answer;
    if (disposition.kind === 'ack') deliveries.decide(key, disposition);
    // Its row says what became of the call, so what comes next is an ordinary wake-up.
    else deliveries.exchange(key, wakeMessage(id, service), disposition.delayMs);
    const { event, server } = settlement as Pick<Settlement, 'event' | 'server'>;
    if (status === 'cancelled' && event.type === 'accept') await tellAccepted(id, service, server);
  }
}
