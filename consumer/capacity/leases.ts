/**
 * What one batch leases, whoever lends it: keys of a pool, places at servers, places in flows. Calls are asked for
 * together; those whose time comes within moments wait here and are asked for again, others stand in line. What
 * they held goes back as they end (`open-leases.ts`). A question has an id, and the same id gets the same answer (rule R22).
 */
import type { LeaseAnswer } from '../../shared/capacity/lease.ts';
import { logInfo } from '../../shared/log.ts';
import { type Outcome, permanentRefusal, TOO_LATE } from '../call/answer/outcome.ts';
import { type Call, type EndedCall, notCalled } from '../call/call.ts';
import type { Background } from './background.ts';
import { OpenLeases } from './open-leases.ts';

/** A lender does not answer: tasks come back after this. */
export const UNAVAILABLE_MS = 5_000;

/** Between two questions for the same calls. */
const MIN_PAUSE_MS = 20;

export interface Leased {
  readonly ready: Call[];
  /** Calls that are over before they began: no room now. */
  readonly ended: EndedCall[];
}

/** The batch, as those see it who lease for it. */
export interface CallHost {
  /** What becomes of these calls is known. */
  readonly ended: (ended: readonly EndedCall[]) => void;
  /** Calls that waited can go on now; resolves when they have ended. */
  readonly ready: (calls: readonly Call[]) => Promise<void>;
}

export interface Question {
  readonly leaseId: string;
  /** When the last of its calls has ended for sure, Unix ms. */
  readonly expiresAt: number;
  readonly calls: readonly Call[];
  /** How often they were asked for before, by this batch. */
  readonly round: number;
  /** They have waited here as long as they may. */
  readonly mustNotWait: boolean;
}

/** @template Grant what a call is given @template Report what the lender is told of a call */
export abstract class Leases<Env extends { readonly shard: string }, Grant, Report> {
  protected readonly env: Env;
  protected readonly background: Background;
  protected readonly host: CallHost;
  protected readonly open: OpenLeases<Report>;
  /** Calls that wait here. */
  protected waiting = 0;
  protected readonly startedAt = Date.now();
  /** Calls that were asked for. */
  readonly #asked = new Set<string>();

  /** A call waits here no longer than this in all: well within the slack of the task's lease. */
  protected abstract readonly maxInPlaceMs: number;
  /** Where the lender may hold a question until there is room: it is asked so long before that is expected. */
  protected readonly leadMs: number = 0;
  /** What becomes of calls that the lender says nothing of. */
  protected abstract readonly unanswered: Outcome;
  /** For the log, when calls have to stand in line. */
  protected abstract readonly shortEvent: string;

  constructor(env: Env, background: Background, host: CallHost) {
    this.env = env;
    this.background = background;
    this.host = host;
    this.open = new OpenLeases((lender, leaseId, reports) => background.add(this.report(lender, leaseId, reports)));
  }

  /** @returns undefined when the lender does not answer: then nothing of the lease is kept */
  protected abstract ask(lender: string, question: Question): Promise<readonly LeaseAnswer<Grant>[] | undefined>;

  /** @returns the call as it can be made; undefined when it waits for another one to end */
  protected abstract grant(lender: string, call: Call, grant: Grant): Call | undefined;

  /** Never rejects. */
  protected abstract report(lender: string, leaseId: string, reports: Report[]): Promise<void>;

  /** Tells who owns them of tasks that were woken from these lines and asked for nothing. */
  protected tellElsewhere(_lines: readonly string[]): void {}

  /** What was woken for this and did not ask has ended, or waits for something else: its line goes on without it. */
  settled(calls: readonly Call[]): void {
    const lines = calls.flatMap(({ id, line }) => (line === undefined || this.#asked.has(id) ? [] : line));
    if (lines.length > 0) this.tellElsewhere(lines);
  }

  protected unavailable(calls: readonly Call[]): Leased {
    return { ready: [], ended: calls.map(({ id }) => this.declined(id, this.unanswered)) };
  }

  protected declined(id: string, outcome: Outcome): EndedCall {
    return notCalled(id, outcome);
  }

  /** Brings back what is left. */
  flush(): void {
    this.open.flush();
  }

  /** @param lenderOf undefined where a call needs nothing */
  protected async leaseEach(calls: readonly Call[], lenderOf: (call: Call) => string | undefined): Promise<Leased> {
    const byLender = Map.groupBy(calls, lenderOf);
    const [first] = byLender.keys();
    if (byLender.size <= 1) return first === undefined ? { ready: [...calls], ended: [] } : this.lease(first, calls);
    const leased = await Promise.all(
      [...byLender].map(([lender, part]) =>
        lender === undefined ? { ready: part, ended: [] } : this.lease(lender, part),
      ),
    );
    return { ready: leased.flatMap(({ ready }) => ready), ended: leased.flatMap(({ ended }) => ended) };
  }

  protected async lease(lender: string, calls: readonly Call[], round = 0): Promise<Leased> {
    const leaseId = crypto.randomUUID();
    const expiresAt = Math.max(...calls.map(({ state }) => state.leaseUntil));
    const now = Date.now();
    // The lender would give nothing for a lease that is over.
    if (expiresAt <= now) return { ready: [], ended: calls.map(({ id }) => this.declined(id, TOO_LATE)) };
    const mustNotWait = now - this.startedAt > this.maxInPlaceMs;
    for (const { id } of calls) this.#asked.add(id);
    const answers = await this.ask(lender, { leaseId, expiresAt, calls, round, mustNotWait });
    if (answers === undefined) return this.unavailable(calls);
    const granted: Call[] = [];
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    const waiting: Call[] = [];
    let at = Infinity;
    for (const [index, call] of calls.entries()) {
      const answer = answerTo(call, answers, index);
      if (answer?.kind === 'granted') {
        granted.push(call);
        const held = this.grant(lender, call, answer);
        if (held !== undefined) ready.push(held);
      } else if (answer?.kind === 'start-at') {
        waiting.push(call);
        at = Math.min(at, answer.at);
      } else {
        ended.push(this.declined(call.id, answer === undefined ? this.unanswered : outcomeOf(answer, this.env.shard)));
      }
    }
    this.open.add(leaseId, lender, granted);
    if (ended.length > 0) {
      const { shard } = this.env;
      logInfo(this.shortEvent, { shard, lender, granted: granted.length, waiting: ended.length });
    }
    this.leaseLater(lender, waiting, at, round + 1);
    return { ready, ended };
  }

  /** Asks for the calls again then, and passes on what comes of it. */
  protected leaseLater(lender: string, calls: readonly Call[], at: number, round: number): void {
    if (calls.length > 0) this.background.add(this.#leaseLater(lender, calls, at, round));
  }

  async #leaseLater(lender: string, calls: readonly Call[], at: number, round: number): Promise<void> {
    this.waiting += calls.length;
    const pauseMs = Math.max(MIN_PAUSE_MS, at - Date.now() - this.leadMs);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const leased = await this.lease(lender, calls, round);
    this.waiting -= calls.length;
    await this.passOn(leased);
  }

  protected async passOn({ ready, ended }: Leased): Promise<void> {
    this.host.ended(ended);
    if (ready.length > 0) await this.host.ready(ready);
  }
}

/** They come in the order of the question; a call that the lender could not read has none (rule R21). */
function answerTo<Grant>({ id }: Call, answers: readonly LeaseAnswer<Grant>[], index: number) {
  const answer = answers[index];
  return answer?.task === id ? answer : answers.find(({ task }) => task === id);
}

function outcomeOf(answer: Extract<LeaseAnswer<unknown>, { kind: 'park' | 'fail' }>, shard: string): Outcome {
  if (answer.kind === 'fail') return permanentRefusal(answer.detail, answer.httpStatus);
  const { line, reason, until } = answer;
  const retryAfterMs = until === undefined ? undefined : Math.max(0, until - Date.now());
  return { kind: 'deferred', reason, retryAfterMs, park: { line, shard } };
}
