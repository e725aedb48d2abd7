/**
 * One batch's dealings with the key pools: takes keys for its calls, brings them back with what they said,
 * and asks anew for calls that were limited or refused. Calls whose key comes within moments wait here;
 * others stand in the pool's line. Two calls a pool and batch, mostly: bad news goes at once, and a long
 * batch brings back what has ended in halves, so that one slow call does not hold the others' places.
 */
import { targetOfLine } from '../../shared/capacity/line.ts';
import { logInfo } from '../../shared/log.ts';
import type { Attempted, Call, EndedCall, KeyUse } from '../call/call.ts';
import { type Outcome, permanentRefusal } from '../call/outcome.ts';
import type { ConsumerEnv } from '../env.ts';
import { isAboutKey, type KeyReport } from '../keys/pool/feedback.ts';
import type { KeyAnswer, KeyCall } from '../keys/pool/lease.ts';
import { askForKeys, releaseKeys } from './key-source.ts';
import { bucketOfRequest, poolOf } from './pool-of.ts';

/** Bad news of calls that end together goes together. */
const URGENT_MS = 30;

/** Ended calls are brought back early when they are the larger half, but no more often than this. */
const EARLY_MS = 1_000;

/** The pool does not answer: tasks come back after this. */
const UNAVAILABLE_MS = 5_000;

/** No shard is known that has a key of the pool; configuration is mended by a deploy. */
const NO_KEYS_MS = 60_000;

/** A call waits here no longer than this in all: well within the slack of the task's lease. */
const MAX_IN_PLACE_MS = 6_000;

/** Between two questions for the same calls. */
const MIN_PAUSE_MS = 20;

interface Lease {
  readonly pool: string;
  readonly leaseId: string;
  /** Calls that have not been brought back. */
  open: number;
  pending: KeyReport[];
  /** Calls that were limited or refused. */
  again: EndedCall[];
  timer: ReturnType<typeof setTimeout> | undefined;
  broughtAt: number;
}

export interface Leased {
  readonly ready: Call[];
  /** Calls that are over before they began: no key now. */
  readonly ended: EndedCall[];
}

interface Host {
  /** Hears of every call, when what becomes of it is known. */
  ended(ended: readonly EndedCall[]): void;
  /** Calls that waited, or were to have another key, can be made now. */
  ready(calls: readonly Call[]): Promise<void>;
}

export class KeyLeases {
  readonly #env: ConsumerEnv;
  readonly #host: Host;
  readonly #startedAt = Date.now();
  readonly #leases = new Map<string, Lease>();
  /** By task. */
  readonly #leaseOf = new Map<string, Lease>();
  readonly #calls = new Map<string, Call>();
  /** Why a call that was made before waits again. */
  readonly #before = new Map<string, EndedCall>();
  readonly #moves = new Map<string, number>();
  readonly #work = new Set<Promise<void>>();

  constructor(env: ConsumerEnv, host: Host) {
    this.#env = env;
    this.#host = host;
  }

  /** The shard that a task is to wait on, when it is not this one. */
  shardFor(task: string): number | undefined {
    return this.#moves.get(task);
  }

  async take(calls: readonly Call[]): Promise<Leased> {
    const byPool = Map.groupBy(calls, (call) => poolOf(this.#env, call.service));
    const leased = await Promise.all(
      [...byPool].map(([pool, pooled]) =>
        pool === undefined ? { ready: pooled, ended: [] } : this.#takeFrom(pool, pooled, true),
      ),
    );
    return { ready: leased.flatMap(({ ready }) => ready), ended: leased.flatMap(({ ended }) => ended) };
  }

  /** Brings calls back; those without a key are passed on as they are. */
  release(ended: readonly EndedCall[]): void {
    const settled: EndedCall[] = [];
    for (const each of ended) {
      const { key } = each.attempted;
      const lease = this.#leaseOf.get(each.id);
      if (key === undefined || lease === undefined) {
        settled.push(each);
        continue;
      }
      this.#leaseOf.delete(each.id);
      lease.pending.push(reportOf(each, key));
      lease.open -= 1;
      if (isAboutKey(key.feedback)) {
        lease.again.push(each);
        lease.timer ??= setTimeout(() => this.#bring(lease), URGENT_MS);
      } else {
        settled.push(each);
        const isHalf = lease.pending.length >= lease.open && lease.open > 0;
        if (isHalf && Date.now() - lease.broughtAt >= EARLY_MS) this.#bring(lease);
      }
    }
    this.#host.ended(settled);
  }

  /** Brings back what is left; resolves when every call has been passed on. */
  async finish(): Promise<void> {
    do {
      for (const lease of this.#leases.values()) this.#bring(lease);
      await Promise.all(this.#work);
    } while (this.#work.size > 0 || [...this.#leases.values()].some(({ pending }) => pending.length > 0));
  }

  async #takeFrom(pool: string, calls: readonly Call[], isFirst: boolean): Promise<Leased> {
    const env = this.#env;
    if (!env.keys.ring.pools.has(pool)) return { ready: [], ended: calls.map((call) => this.#sendToKeys(pool, call)) };
    const leaseId = crypto.randomUUID();
    const mustNotWait = Date.now() - this.#startedAt > MAX_IN_PLACE_MS;
    const answers = await askForKeys(env, {
      pool,
      leaseId,
      expiresAt: Math.max(...calls.map(({ state }) => state.leaseUntil)),
      calls: calls.map((call) => this.#askedOf(call, isFirst, mustNotWait)),
    });
    if (answers === undefined) {
      const outcome: Outcome = {
        kind: 'deferred',
        reason: 'no-key',
        retryAfterMs: UNAVAILABLE_MS,
        placedBy: 'key-pool',
      };
      return { ready: [], ended: calls.map(({ id }) => this.#over(id, outcome)) };
    }
    return this.#follow(pool, leaseId, calls, answers);
  }

  #askedOf({ id, service, line, request }: Call, isFirst: boolean, mustNotWait: boolean): KeyCall {
    const bucket = bucketOfRequest(this.#env, service, { headers: request.headers ?? {}, json: jsonOf(request) });
    const wasWoken = line !== undefined;
    const target = wasWoken ? targetOfLine(line) : undefined;
    const stoodAside = target?.kind === 'pool' && target.isOfRefused === true;
    return {
      task: id,
      ...(bucket !== undefined && { bucket }),
      ...((wasWoken || !isFirst) && { isInTurn: true }),
      ...(wasWoken && isFirst && !stoodAside && { hasArrived: true }),
      ...(mustNotWait && { mustNotWait }),
    };
  }

  #follow(pool: string, leaseId: string, calls: readonly Call[], answers: readonly KeyAnswer[]): Leased {
    const byTask = new Map(calls.map((call) => [call.id, call]));
    const ready: Call[] = [];
    const ended: EndedCall[] = [];
    const waiting: { readonly call: Call; readonly at: number }[] = [];
    const lease: Lease = { pool, leaseId, open: 0, pending: [], again: [], timer: undefined, broughtAt: Date.now() };
    for (const answer of answers) {
      const call = byTask.get(answer.task);
      if (call === undefined) continue;
      this.#calls.set(call.id, call);
      if (answer.kind === 'granted') {
        lease.open += 1;
        this.#leaseOf.set(call.id, lease);
        ready.push({ ...call, key: { pool, number: answer.key } });
      } else if (answer.kind === 'start-at') waiting.push({ call, at: answer.at });
      else ended.push(this.#over(call.id, outcomeOf(answer)));
    }
    if (lease.open > 0) this.#leases.set(leaseId, lease);
    if (waiting.length > 0) {
      const at = Math.min(...waiting.map((each) => each.at));
      this.#do(
        this.#askAgain(
          pool,
          waiting.map(({ call }) => call),
          at,
        ),
      );
    }
    if (ended.length > 0) {
      logInfo('keys.short', { shard: this.#env.shard, pool, granted: ready.length, waiting: ended.length });
    }
    return { ready, ended };
  }

  async #askAgain(pool: string, calls: readonly Call[], at: number): Promise<void> {
    const pauseMs = Math.max(MIN_PAUSE_MS, at - Date.now());
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const { ready, ended } = await this.#takeFrom(pool, calls, false);
    this.#host.ended(ended);
    if (ready.length > 0) await this.#host.ready(ready);
  }

  /** This shard has no key of the pool: any other that has. */
  #sendToKeys(pool: string, call: Call): EndedCall {
    const shards = (this.#env.keys.shards[pool] ?? []).filter(
      (shard) => this.#env.keys.shardQueue(shard) !== undefined,
    );
    const shard = shards[Math.floor(Math.random() * shards.length)];
    if (shard !== undefined) this.#moves.set(call.id, shard);
    const retryAfterMs = shard === undefined ? NO_KEYS_MS : 0;
    return this.#over(call.id, { kind: 'deferred', reason: 'no-key', retryAfterMs, placedBy: 'key-pool' });
  }

  #bring(lease: Lease): void {
    if (lease.timer !== undefined) clearTimeout(lease.timer);
    lease.timer = undefined;
    if (lease.open === 0) this.#leases.delete(lease.leaseId);
    if (lease.pending.length === 0) return;
    const { pending, again } = lease;
    lease.pending = [];
    lease.again = [];
    lease.broughtAt = Date.now();
    this.#do(this.#return(lease, pending, again));
  }

  async #return({ pool, leaseId }: Lease, reports: KeyReport[], again: readonly EndedCall[]): Promise<void> {
    await releaseKeys(this.#env, pool, leaseId, reports);
    if (again.length === 0) return;
    for (const each of again) this.#before.set(each.id, each);
    // A place at a server went back with the call: such a task comes again.
    const { placed = [], calls = [] } = Object.groupBy(
      again.flatMap(({ id }) => this.#calls.get(id) ?? []),
      ({ servers }) => (servers === undefined ? 'calls' : 'placed'),
    );
    this.#host.ended(again.filter(({ id }) => placed.some((call) => call.id === id)));
    if (calls.length === 0) return;
    const { ready, ended } = await this.#takeFrom(pool, calls, false);
    this.#host.ended(ended);
    if (ready.length > 0) await this.#host.ready(ready);
  }

  /** The reason why a call waits is how it ended, if it was made; what becomes of it is what the pool says. */
  #over(id: string, outcome: Outcome): EndedCall {
    const before = this.#before.get(id);
    if (before === undefined) {
      const now = Date.now();
      const attempted: Attempted = { outcome, startedAt: now, endedAt: now, server: undefined };
      return { id, attempted };
    }
    const { attempted } = before;
    if (outcome.kind !== 'deferred' || attempted.outcome.kind !== 'deferred')
      return { id, attempted: { ...attempted, outcome } };
    const { reason, error } = attempted.outcome;
    return { id, attempted: { ...attempted, outcome: { ...outcome, reason, ...(error && { error }) } } };
  }

  #do(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }
}

function jsonOf({ body }: Call['request']): string | undefined {
  return body?.encoding === 'json' ? body.text : undefined;
}

function reportOf({ id, attempted }: EndedCall, { feedback, facts }: KeyUse): KeyReport {
  return { task: id, endedAt: attempted.endedAt, feedback, ...(facts !== undefined && { facts }) };
}

function outcomeOf(answer: Extract<KeyAnswer, { kind: 'park' | 'fail' }>): Outcome {
  if (answer.kind === 'fail') return permanentRefusal(answer.detail, answer.httpStatus);
  const { line, reason, until } = answer;
  const retryAfterMs = until === undefined ? undefined : Math.max(0, until - Date.now());
  return { kind: 'deferred', reason, retryAfterMs, park: { line } };
}
