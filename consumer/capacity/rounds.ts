/**
 * Runs a batch's calls in rounds: those that have a place go at once; those that will have one in a
 * moment wait here for the places that the others give back, rather than going through queue and
 * database for it. Who waits longer, or waits when the moment is over, is settled as deferred.
 */
import type { Call, EndedCall } from '../call/call.ts';
import type { ServerLeases } from './server-leases.ts';

/**
 * A question and a report each: far less than what they save while each gets one call a place. The first
 * six calls of each run in the batch's own invocation, so all rounds together cause no more invocations
 * than one would (`invocations.ts`).
 */
const MAX_ROUNDS = 20;

/** Well within the slack of the lease, and short enough not to keep other messages waiting. */
const MAX_HOLD_MS = 2_000;

/** @param run calls them; resolves when all of them have ended */
export async function runInRounds(
  servers: Pick<ServerLeases, 'take'>,
  calls: readonly Call[],
  run: (ready: readonly Call[]) => Promise<void>,
  settle: (ended: EndedCall[]) => void,
): Promise<void> {
  const holdUntil = Date.now() + MAX_HOLD_MS;
  let { ready, waiting } = await servers.take(calls, 0);
  for (let round = 1; ; round++) {
    const { soon = [], later = [] } = Object.groupBy(waiting, ({ until }) =>
      round < MAX_ROUNDS && until <= holdUntil ? 'soon' : 'later',
    );
    settle(later.map(({ ended }) => ended));
    const running = run(ready);
    // With nobody under way here, a place comes back at the time that was given.
    const nextAt = ready.length > 0 ? 0 : Math.min(...soon.map(({ until }) => until));
    if (soon.length === 0) return running;
    if (!(await isOverBy(holdUntil, running, nextAt))) {
      settle(soon.map(({ ended }) => ended));
      return running;
    }
    ({ ready, waiting } = await servers.take(
      soon.map(({ call }) => call),
      round,
    ));
  }
}

/** True when `running` has ended by then, at `notBefore` at the earliest. */
async function isOverBy(deadline: number, running: Promise<void>, notBefore: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), Math.max(0, deadline - Date.now()));
  try {
    if (!(await Promise.race([running.then(() => true), late.promise]))) return false;
  } finally {
    clearTimeout(timer);
  }
  const pauseMs = notBefore - Date.now();
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  return true;
}
