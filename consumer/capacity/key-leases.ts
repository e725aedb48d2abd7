/**
 * One batch's dealings with the key pools: takes keys for its calls, brings them back with what they
 * said, and has tasks that were limited or refused placed anew. Two calls a pool and batch; bad news
 * goes at once, so that other batches stop using a key that is out, and a long batch brings back what
 * has ended in halves, so that one slow call does not hold the others' places.
 */
import pRetry from 'p-retry';
import type { OutlookAnswer } from '../../shared/ledger/contract.ts';
import { logError, logInfo, logWarning } from '../../shared/log.ts';
import type { Attempted, Call, EndedCall, KeyUse } from '../call/call.ts';
import type { Outcome } from '../call/outcome.ts';
import type { ConsumerEnv } from '../env.ts';
import type { GiveBackAnswer, KeyNotice } from '../keys/pool/give-back.ts';
import type { KeyDecision } from '../keys/pool/lease.ts';
import type { Outlook } from '../keys/pool/outlook.ts';
import { rosterOf } from '../keys/pool/roster.ts';
import type { KeyReport } from '../keys/pool/verdict.ts';
import { poolOf } from './pool-of.ts';

/** Bad news of calls that end together goes together. */
const URGENT_MS = 30;

/** Ended calls are brought back early when they are the larger half, but no more often than this. */
const EARLY_MS = 1_000;

/** The pool does not answer: tasks come back after this. */
const UNAVAILABLE_MS = 5_000;

/** No shard is known that has a key of the pool; configuration is mended by a deploy. */
const NO_KEYS_MS = 60_000;

const RETRIES = { retries: 2, minTimeout: 50, factor: 4, shouldRetry: () => true };

interface Held {
  readonly ended: EndedCall;
  readonly report: KeyReport;
}

interface Lease {
  readonly pool: string;
  readonly block: string;
  /** Calls that have not been brought back. */
  open: number;
  pending: KeyReport[];
  /** Tasks that wait for the pool to place them again. */
  held: Held[];
  timer: ReturnType<typeof setTimeout> | undefined;
  broughtAt: number;
}

export interface Leased {
  readonly ready: Call[];
  /** Calls that are over before they began: no key now. */
  readonly ended: EndedCall[];
}

export class KeyLeases {
  readonly #env: ConsumerEnv;
  readonly #onEnded: (ended: EndedCall[]) => void;
  readonly #leases = new Map<string, Lease>();
  readonly #moves = new Map<string, number>();
  readonly #returning: Promise<void>[] = [];

  /** @param onEnded hears of every call that was given back, when what becomes of it is known */
  constructor(env: ConsumerEnv, onEnded: (ended: EndedCall[]) => void) {
    this.#env = env;
    this.#onEnded = onEnded;
  }

  /** The shard that a task is to wait on, when it is not this one. */
  shardFor(task: string): number | undefined {
    return this.#moves.get(task);
  }

  async take(calls: readonly Call[], others: OutlookAnswer['elsewhere'] | undefined): Promise<Leased> {
    const byPool = Map.groupBy(calls, (call) => poolOf(this.#env, call.service));
    const leased = await Promise.all(
      [...byPool].map(([pool, pooled]) =>
        pool === undefined ? { ready: pooled, ended: [] } : this.#takeFrom(pool, pooled, others),
      ),
    );
    return { ready: leased.flatMap(({ ready }) => ready), ended: leased.flatMap(({ ended }) => ended) };
  }

  /** Brings calls back; those without a key are passed on as they are. */
  giveBack(ended: readonly EndedCall[]): void {
    const settled: EndedCall[] = [];
    for (const each of ended) {
      const { key } = each.attempted;
      const lease = key && this.#leases.get(key.pool);
      if (key === undefined || lease === undefined) {
        settled.push(each);
        continue;
      }
      const report = reportOf(each, key);
      lease.pending.push(report);
      lease.open -= 1;
      if (isBadNews(report)) {
        lease.held.push({ ended: each, report });
        lease.timer ??= setTimeout(() => this.#bring(lease), URGENT_MS);
      } else {
        settled.push(each);
        if (lease.pending.length >= lease.open && Date.now() - lease.broughtAt >= EARLY_MS && lease.open > 0) {
          this.#bring(lease);
        }
      }
    }
    this.#onEnded(settled);
  }

  /** Brings back what is left; resolves when every call that was given back has been passed on. */
  async finish(): Promise<void> {
    for (const lease of this.#leases.values()) this.#bring(lease);
    await Promise.all(this.#returning);
  }

  async #takeFrom(
    pool: string,
    calls: readonly Call[],
    others: OutlookAnswer['elsewhere'] | undefined,
  ): Promise<Leased> {
    const env = this.#env;
    if (!env.keys.ring.pools.has(pool))
      return { ready: [], ended: calls.map((call) => this.#sendToKeys(pool, call, others)) };
    const block = crypto.randomUUID();
    const request = {
      block,
      expiresAt: Math.max(...calls.map(({ state }) => state.leaseUntil)),
      tasks: calls.map(({ id, state }) => ({ id, waits: state.deferrals })),
      roster: await rosterOf(env.keys.ring, pool),
      configured: env.keys.limits(pool),
      elsewhere: (others?.[pool] ?? []).filter(({ shard }) => env.keys.shardQueue(shard) !== undefined),
      incoming: env.keys.outlooks.takeIncoming(pool),
    };
    let decisions: readonly KeyDecision[];
    try {
      const answer = await pRetry(() => env.keys.pool(pool).lease(request), RETRIES);
      this.#noteOutlook(pool, answer.outlook);
      decisions = answer.decisions;
    } catch (error) {
      env.keys.outlooks.noteIncoming(pool, request.incoming);
      logError('keys.unavailable', { shard: env.shard, pool, tasks: calls.length }, error);
      return { ready: [], ended: calls.map((call) => notStarted(call, waiting('no-key', UNAVAILABLE_MS))) };
    }
    const leased = this.#follow(pool, calls, decisions);
    // Of an earlier round of this batch: its calls have ended.
    const earlier = this.#leases.get(pool);
    if (earlier !== undefined) this.#bring(earlier);
    const open = leased.ready.length;
    if (open > 0) {
      const broughtAt = Date.now();
      this.#leases.set(pool, { pool, block, open, pending: [], held: [], timer: undefined, broughtAt });
    }
    if (leased.ended.length > 0) {
      logInfo('keys.short', { shard: env.shard, pool, granted: open, waiting: leased.ended.length });
    }
    return leased;
  }

  #follow(pool: string, calls: readonly Call[], decisions: readonly KeyDecision[]): Leased {
    const byTask = new Map(calls.map((call) => [call.id, call]));
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    for (const decision of decisions) {
      const call = byTask.get(decision.task);
      if (call === undefined) continue;
      if (decision.is === 'granted') ready.push({ ...call, key: { pool, number: decision.key } });
      else ended.push(notStarted(call, this.#outcomeOf(pool, decision)));
    }
    return { ready, ended };
  }

  /** This shard has no key of the pool: any other that has. */
  #sendToKeys(pool: string, call: Call, others: OutlookAnswer['elsewhere'] | undefined): EndedCall {
    const known = (others?.[pool] ?? []).map(({ shard }) => shard);
    const shards = (known.length > 0 ? known : (this.#env.keys.shards[pool] ?? [])).filter(
      (shard) => this.#env.keys.shardQueue(shard) !== undefined,
    );
    const shard = shards[Math.floor(Math.random() * shards.length)];
    if (shard === undefined) return notStarted(call, waiting('no-key', NO_KEYS_MS));
    this.#move(pool, call.id, shard);
    return notStarted(call, waiting('no-key', 0));
  }

  #outcomeOf(pool: string, decision: Exclude<KeyDecision, { is: 'granted' }>): Outcome {
    if (decision.is === 'refused') return refusedByTwo(decision.httpStatus);
    if (decision.shard !== undefined) this.#move(pool, decision.task, decision.shard);
    return waiting(decision.why, decision.until - Date.now());
  }

  #move(pool: string, task: string, shard: number): void {
    this.#moves.set(task, shard);
    this.#env.keys.outlooks.noteSent(pool, shard);
  }

  #bring(lease: Lease): void {
    if (lease.timer !== undefined) clearTimeout(lease.timer);
    lease.timer = undefined;
    if (lease.pending.length === 0) return;
    const { pending, held } = lease;
    lease.pending = [];
    lease.held = [];
    lease.broughtAt = Date.now();
    this.#returning.push(this.#return(lease, pending, held));
  }

  async #return({ pool, block }: Lease, reports: KeyReport[], held: Held[]): Promise<void> {
    let answer: GiveBackAnswer | undefined;
    try {
      answer = await pRetry(() => this.#env.keys.pool(pool).giveBack({ block, reports }), RETRIES);
      this.#noteOutlook(pool, answer.outlook);
      for (const notice of answer.notices) logNotice(this.#env.shard, pool, notice);
    } catch (error) {
      // The pool takes the calls as ended when their lease is over.
      logError('keys.unavailable', { shard: this.#env.shard, pool, reports: reports.length }, error);
    }
    const decisions = new Map((answer?.decisions ?? []).map((decision) => [decision.task, decision]));
    this.#onEnded(held.map(({ ended }) => this.#placed(pool, ended, decisions.get(ended.id))));
  }

  #placed(pool: string, ended: EndedCall, decision: KeyDecision | undefined): EndedCall {
    if (decision === undefined || decision.is === 'granted') return ended;
    const { outcome } = ended.attempted;
    const placed = this.#outcomeOf(pool, decision);
    if (placed.kind !== 'deferred' || outcome.kind !== 'deferred') {
      return { ...ended, attempted: { ...ended.attempted, outcome: placed } };
    }
    // The reason is why the call ended, the time is when the pool has a key again.
    const merged: Outcome = { ...placed, reason: outcome.reason, ...(outcome.error && { error: outcome.error }) };
    return { ...ended, attempted: { ...ended.attempted, outcome: merged } };
  }

  #noteOutlook(pool: string, outlook: Outlook): void {
    this.#env.keys.outlooks.note(pool, outlook);
  }
}

function reportOf({ id, attempted }: EndedCall, { verdict, facts }: KeyUse): KeyReport {
  const { startedAt, endedAt } = attempted;
  return { task: id, startedAt, endedAt, verdict, ...(facts !== undefined && { facts }) };
}

function isBadNews({ verdict }: KeyReport): boolean {
  return verdict.kind === 'limited' || verdict.kind === 'refused';
}

function waiting(reason: 'no-key' | 'key-refused', delayMs: number): Outcome {
  return { kind: 'deferred', reason, retryAfterMs: Math.max(0, delayMs), placedBy: 'key-pool' };
}

function refusedByTwo(httpStatus: number): Outcome {
  const message = `The backend refused this task (${httpStatus}) with two API keys that work for others.`;
  return { kind: 'permanent', error: { class: 'http', httpStatus, message } };
}

function notStarted(call: Call, outcome: Outcome): EndedCall {
  const now = Date.now();
  const attempted: Attempted = { outcome, startedAt: now, endedAt: now, server: undefined };
  return { id: call.id, attempted };
}

function logNotice(shard: string, pool: string, notice: KeyNotice): void {
  const { kind, key, fingerprint, httpStatus, until } = notice;
  const fields = { shard, pool, key, fingerprint, httpStatus, until: until && new Date(until).toISOString() };
  logWarning(kind === 'refused' ? 'key.refused' : 'key.exhausted', fields);
}
