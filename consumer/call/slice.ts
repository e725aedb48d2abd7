/**
 * Runs calls, so many side by side, and says how each ended as soon as it did. Over the network that
 * are six at a time, so when calls take longer than was thought, others would wait for them: what has
 * not started after a moment is handed back.
 */
import { logError, logWarning } from '../../shared/log.ts';
import type { ConsumerEnv } from '../env.ts';
import { attempt, CancelledError } from './attempt.ts';
import { AttemptLog } from './attempt-log.ts';
import type { Call, EndedCall } from './call.ts';
import { tellAborted } from './tell-cancelled.ts';
import { Timeouts } from './timeouts.ts';

/** Outcomes that come this close together are reported together. */
const REPORT_WINDOW_MS = 50;

/** What has not started by then goes elsewhere: several times what quick calls take in all their turns. */
const MAX_WAIT_MS = 250;

/** Calls are checked for cancellation after 5 s, then at doubling intervals: short calls never ask. */
const FIRST_CANCEL_CHECK_MS = 5_000;

/** The batch that a slice belongs to. Functions of plain data: the slice may run in another invocation. */
export interface SliceHost {
  readonly ended: (ended: EndedCall[]) => Promise<void>;
  /** Ids of calls that the slice has no time for. */
  readonly unstarted: (ids: string[]) => Promise<void>;
  /** Which of these tasks have been cancelled meanwhile. */
  readonly cancelledAmong: (ids: string[]) => Promise<string[]>;
}

/** @returns the ended calls that the host was not told of on the way */
export async function runSlice(
  env: ConsumerEnv,
  calls: readonly Call[],
  host: SliceHost,
  atOnce: number,
): Promise<EndedCall[]> {
  const log = new AttemptLog(env.shard);
  const outgoing = new Outgoing(async (ended) => {
    log.write();
    await host.ended(ended);
  });
  const running = new Map<string, AbortController>();
  const timeouts = new Timeouts();
  const stopWatching = watchCancellations(running, host.cancelledAmong);
  const waiting = [...calls];
  const handing = handBackLate(waiting, host);

  const run = async (call: Call, abort: AbortController) => {
    running.set(call.id, abort);
    try {
      const attempted = await attempt(env, call, abort, timeouts);
      running.delete(call.id);
      log.note(call, attempted);
      outgoing.add({ id: call.id, attempted });
      if (abort.signal.reason instanceof CancelledError)
        await tellAborted(env, call.service, call.id, call.definition, call.servers);
    } catch (error) {
      // A bug that one call meets must not take the others with it: its task runs again after the lease.
      logError('call.failed', { id: call.id, service: call.service }, error);
      running.delete(call.id);
    }
  };
  // Calls of one connection share its controller for as long as none of them was aborted.
  const runInTurn = async () => {
    let abort = new AbortController();
    for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
      if (abort.signal.aborted) abort = new AbortController();
      await run(call, abort);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, calls.length) }, runInTurn));
    await handing.end();
  } finally {
    timeouts.stop();
    stopWatching();
    log.write();
  }
  return outgoing.rest();
}

/** After a while, takes what is still waiting away and gives it to the host. */
function handBackLate(waiting: Call[], host: SliceHost): { end(): Promise<void> } {
  let handed: Promise<void> | undefined;
  const timer = setTimeout(() => {
    const ids = waiting.splice(0).map(({ id }) => id);
    if (ids.length > 0) handed = host.unstarted(ids).catch((error: unknown) => logLost(ids, error));
  }, MAX_WAIT_MS);
  return {
    async end() {
      clearTimeout(timer);
      await handed;
    },
  };
}

/** Their messages come again after the lease. */
function logLost(ids: readonly string[], error: unknown): void {
  logError('calls.unstarted', { tasks: ids.length }, error);
}

/** Collects ended calls for a moment and sends them on; what is left at the end is handed back. */
class Outgoing {
  readonly #report: SliceHost['ended'];
  #pending: EndedCall[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(report: SliceHost['ended']) {
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

function watchCancellations(
  running: ReadonlyMap<string, AbortController>,
  cancelledAmong: SliceHost['cancelledAmong'],
): () => void {
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
