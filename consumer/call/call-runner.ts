/**
 * Makes the calls of one batch and says how each ended as soon as it did. Calls over the network take turns
 * (`turns.ts`), and a call's time-out starts with its turn; calls to bound Workers hold no connection of this
 * one. A call that does not get its turn in time to end within its lease is released unattempted (rule
 * R14). All calls of the batch share one look-up of cancellations and one timer for their time-outs.
 */
import { logError, logWarning } from '../../shared/log.ts';
import { type Outcome, TOO_LATE } from './answer/outcome.ts';
import { attempt, CancelledError } from './attempt.ts';
import { AttemptLog } from './attempt-log.ts';
import type { AttemptSpans } from './attempt-spans.ts';
import { type Call, type EndedCall, notCalled } from './call.ts';
import type { CallEnv } from './call-env.ts';
import { latestStart } from './lease.ts';
import { tellAborted } from './tell-cancelled.ts';
import { Timeouts } from './timeouts.ts';
import { nextTurn } from './turns.ts';

/** Outcomes that come this close together are told together. */
const REPORT_WINDOW_MS = 50;

/** Calls are checked for cancellation after 5 s, then at doubling intervals: short calls never ask. */
const FIRST_CANCEL_CHECK_MS = 5_000;

interface RunnerHost {
  /** Told of every call as soon as it has ended. */
  over(ended: EndedCall): void;
  /** What becomes of a call instead, when its turn comes and it is not to be made any more. */
  heldBack(call: Call): Outcome | undefined;
  /** Told of every call once, together with others. */
  ended(ended: EndedCall[]): void;
  /** Which of these tasks have been cancelled meanwhile. */
  cancelledAmong(ids: string[]): Promise<string[]>;
}

interface Waiting {
  readonly call: Call;
  readonly service: string;
  readonly latestStart: number;
  readonly over: () => void;
}

export class CallRunner implements Disposable {
  readonly #env: CallEnv;
  readonly #host: RunnerHost;
  readonly #log: AttemptLog;
  readonly #spans: AttemptSpans | undefined;
  readonly #timeouts = new Timeouts();
  /** For a turn, in the order of their coming. */
  #waiting: Waiting[] = [];
  #taken = 0;
  readonly #takenBy = new Map<string, number>();
  readonly #running = new Map<string, AbortController>();
  /** Cancelled calls whose backends are being told: `run` waits for these too, and no outcome does. */
  #telling = 0;
  /** Of calls that ended without an abort: a controller and its signal serve several calls in turn. */
  readonly #spare: AbortController[] = [];
  #unreported: EndedCall[] = [];
  #reportTimer: ReturnType<typeof setTimeout> | undefined;
  #cancelTimer: ReturnType<typeof setTimeout> | undefined;
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(env: CallEnv, host: RunnerHost, spans?: AttemptSpans) {
    this.#env = env;
    this.#host = host;
    this.#log = new AttemptLog(env.shard);
    this.#spans = spans;
  }

  /** Calls over the network that may still begin. */
  get freeTurns(): number {
    return Math.max(0, this.#env.connections - this.#taken - this.#waiting.length);
  }

  /** Resolves when all of these calls have ended and the host has been told. */
  async run(calls: readonly Call[]): Promise<void> {
    if (calls.length === 0) return;
    this.#cancelTimer ??= setTimeout(() => void this.#checkCancellations(FIRST_CANCEL_CHECK_MS), FIRST_CANCEL_CHECK_MS);
    const { promise: allOver, resolve } = Promise.withResolvers<void>();
    let open = calls.length;
    const over = () => {
      open -= 1;
      if (open === 0) resolve();
    };
    for (const call of calls) {
      const { service, state } = call;
      const definition = call.definition ?? this.#env.services[service];
      const timeoutMs = (definition?.timeoutSeconds ?? 0) * 1000;
      if (definition?.binding !== undefined) void this.#run(call, over);
      else this.#waiting.push({ call, service, latestStart: latestStart(timeoutMs, state), over });
    }
    this.#giveTurns();
    await allOver;
    this.#report();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const timer of [this.#reportTimer, this.#cancelTimer, this.#lateTimer]) {
      if (timer !== undefined) clearTimeout(timer);
    }
    this.#timeouts.stop();
    this.#log.write();
  }

  #giveTurns(): void {
    const { connections, serviceShare } = this.#env;
    this.#dismiss(({ call }) => this.#host.heldBack(call));
    while (this.#waiting.length > 0 && this.#taken < connections) {
      const [next] = this.#waiting.splice(nextTurn(this.#waiting, this.#takenBy, connections, serviceShare), 1);
      if (next !== undefined) this.#takeTurn(next);
    }
    this.#watchLate();
  }

  #takeTurn({ call, service, over }: Waiting): void {
    this.#taken += 1;
    this.#takenBy.set(service, (this.#takenBy.get(service) ?? 0) + 1);
    void this.#run(call, () => {
      this.#taken -= 1;
      this.#takenBy.set(service, (this.#takenBy.get(service) ?? 1) - 1);
      over();
      this.#giveTurns();
    });
  }

  /** Never rejects: a bug that one call meets must not take the others with it; its task runs again after the lease. */
  async #run(call: Call, over: () => void): Promise<void> {
    const abort = this.#spare.pop() ?? new AbortController();
    this.#running.set(call.id, abort);
    try {
      const attempted = await attempt(this.#env, call, abort, this.#timeouts);
      this.#running.delete(call.id);
      this.#log.note(call, attempted);
      this.#spans?.note(call, attempted);
      const isCancelled = abort.signal.reason instanceof CancelledError;
      if (isCancelled) this.#telling += 1;
      this.#end({ id: call.id, attempted });
      if (isCancelled) await this.#tellAborted(call, attempted.server).finally(() => (this.#telling -= 1));
    } catch (error) {
      logError('call.failed', { id: call.id, service: call.service }, error);
      this.#running.delete(call.id);
    }
    if (!abort.signal.aborted) this.#spare.push(abort);
    over();
  }

  /** The server that was called last comes first: it works on the task. */
  #tellAborted({ id, service, servers, definition }: Call, server: string | undefined): Promise<void> {
    const called = servers?.filter((each) => each.id === server);
    return tellAborted(this.#env, service, id, called, definition);
  }

  /** One timer, for the call that would be the first to come too late. */
  #watchLate(): void {
    if (this.#lateTimer !== undefined) clearTimeout(this.#lateTimer);
    this.#lateTimer = undefined;
    if (this.#waiting.length === 0) return;
    const first = Math.min(...this.#waiting.map((waiting) => waiting.latestStart));
    this.#lateTimer = setTimeout(
      () => {
        const now = Date.now();
        this.#dismiss(({ latestStart }) => (latestStart <= now ? TOO_LATE : undefined));
        this.#watchLate();
      },
      Math.max(0, first - Date.now()),
    );
  }

  /** @param outcomeOf undefined: it goes on waiting */
  #dismiss(outcomeOf: (waiting: Waiting) => Outcome | undefined): void {
    if (this.#waiting.length === 0) return;
    const looked = this.#waiting.map((waiting) => ({ waiting, outcome: outcomeOf(waiting) }));
    this.#waiting = looked.filter(({ outcome }) => outcome === undefined).map(({ waiting }) => waiting);
    for (const { waiting, outcome } of looked) {
      if (outcome === undefined) continue;
      const { call, over } = waiting;
      const ended = notCalled(call.id, outcome);
      this.#log.note(call, ended.attempted);
      this.#end(ended);
      over();
    }
  }

  #end(ended: EndedCall): void {
    this.#host.over(ended);
    this.#unreported.push(ended);
    // After the last one `run` reports.
    if (this.#isBusy) this.#reportTimer ??= setTimeout(() => this.#report(), REPORT_WINDOW_MS);
  }

  get #isBusy(): boolean {
    return this.#running.size > 0 || this.#waiting.length > 0 || this.#telling > 0;
  }

  #report(): void {
    if (this.#reportTimer !== undefined) clearTimeout(this.#reportTimer);
    this.#reportTimer = undefined;
    if (this.#unreported.length === 0) return;
    const ended = this.#unreported;
    this.#unreported = [];
    this.#host.ended(ended);
    // The last outcomes are not held up by their log: it is written when the batch is over.
    if (this.#isBusy) this.#log.write();
  }

  async #checkCancellations(intervalMs: number): Promise<void> {
    try {
      const ids = [...this.#running.keys(), ...this.#waiting.map(({ call }) => call.id)];
      const cancelled = ids.length === 0 ? [] : await this.#host.cancelledAmong(ids);
      for (const id of cancelled) this.#running.get(id)?.abort(new CancelledError());
      this.#dismiss(({ call }) => (cancelled.includes(call.id) ? CANCELLED : undefined));
    } catch (error) {
      logWarning('cancel-check.failed', { cause: String(error) });
    }
    // A question may still be on its way when the last call ends.
    if (this.#isOver) return;
    this.#cancelTimer = setTimeout(() => void this.#checkCancellations(intervalMs * 2), intervalMs * 2);
  }
}

/** The row is cancelled already; whatever is settled changes nothing. */
const CANCELLED: Outcome = {
  kind: 'permanent',
  error: { class: 'network', message: 'The task was cancelled before its call.' },
};
