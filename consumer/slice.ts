/**
 * Runs a few calls side by side and says how each ended as soon as it did. A slice holds at most six
 * calls: the platform lets one invocation wait for the headers of six connections at a time.
 */
import { logError, logWarning } from '../shared/log.ts';
import { attempt, CancelledError } from './attempt.ts';
import { logAttempt } from './attempt-log.ts';
import type { Call, EndedCall } from './call.ts';
import type { ConsumerEnv } from './env.ts';
import { tellAborted } from './tell-cancelled.ts';

export const SLICE_CALLS = 6;

/** Outcomes that come this close together are reported together. */
const REPORT_WINDOW_MS = 50;

/** Calls are checked for cancellation after 5 s, then at doubling intervals: short calls never ask. */
const FIRST_CANCEL_CHECK_MS = 5_000;

type Report = (ended: EndedCall[]) => Promise<void>;
type CancelledAmong = (ids: string[]) => Promise<string[]>;

/** @returns the ended calls that were not reported on the way */
export async function runSlice(
  env: ConsumerEnv,
  calls: readonly Call[],
  report: Report,
  cancelledAmong: CancelledAmong,
): Promise<EndedCall[]> {
  const outgoing = new Outgoing(report);
  const running = new Map<string, AbortController>();
  const stopWatching = watchCancellations(running, cancelledAmong);
  try {
    await Promise.all(
      calls.map(async (call) => {
        const abort = new AbortController();
        running.set(call.id, abort);
        try {
          const attempted = await attempt(env, call, abort);
          running.delete(call.id);
          logAttempt(env.shard, call, attempted);
          outgoing.add({ id: call.id, attempted });
          if (abort.signal.reason instanceof CancelledError)
            await tellAborted(env, call.service, call.id, call.definition, call.servers);
        } catch (error) {
          // A bug that one call meets must not take the others with it: its task runs again after the lease.
          logError('call.failed', { id: call.id, service: call.service }, error);
          running.delete(call.id);
        }
      }),
    );
  } finally {
    stopWatching();
  }
  return outgoing.rest();
}

/** Collects ended calls for a moment and sends them on; what is left at the end is handed back. */
class Outgoing {
  readonly #report: Report;
  #pending: EndedCall[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(report: Report) {
    this.#report = report;
  }

  add(ended: EndedCall): void {
    this.#pending.push(ended);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#sending.then(() => this.#send());
    }, REPORT_WINDOW_MS);
  }

  async rest(): Promise<EndedCall[]> {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    await this.#sending;
    return this.#pending;
  }

  /** A report that fails is tried again with the next one, or handed back at the end. */
  async #send(): Promise<void> {
    const batch = this.#pending;
    this.#pending = [];
    try {
      await this.#report(batch);
    } catch {
      this.#pending = [...batch, ...this.#pending];
    }
  }
}

function watchCancellations(running: ReadonlyMap<string, AbortController>, cancelledAmong: CancelledAmong): () => void {
  let timer: ReturnType<typeof setTimeout>;
  let stopped = false;
  const check = async (intervalMs: number) => {
    try {
      for (const id of await cancelledAmong([...running.keys()])) running.get(id)?.abort(new CancelledError());
    } catch (error) {
      logWarning('cancel-check.failed', { cause: String(error) });
    }
    schedule(intervalMs * 2);
  };
  const schedule = (intervalMs: number) => {
    // A question may still be on its way when the last call ends.
    if (!stopped) timer = setTimeout(() => void check(intervalMs), intervalMs);
  };
  schedule(FIRST_CANCEL_CHECK_MS);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
