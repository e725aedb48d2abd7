/**
 * One batch's dealings with the key pools: takes keys for its calls, releases them with what they said,
 * and asks anew for calls that were limited or refused. Calls whose key comes within moments wait here;
 * others stand in the pool's line. Two calls a pool and batch, mostly: bad news goes at once.
 */
import { targetOfLine } from '../../shared/capacity/line.ts';
import { logInfo } from '../../shared/log.ts';
import { type Outcome, permanentRefusal } from '../call/answer/outcome.ts';
import { type Call, type EndedCall, type KeyUse, notCalled } from '../call/call.ts';
import { isAboutKey, type KeyReport } from '../keys/pool/feedback.ts';
import type { KeyAnswer, KeyCall } from '../keys/pool/lease.ts';
import type { Background } from './background.ts';
import type { CatalogEnv, KeyEnv } from './capacity-env.ts';
import { askForKeys, releaseKeys } from './key-source.ts';
import { type OpenLease, OpenLeases } from './open-leases.ts';
import { bucketOfRequest, poolOf } from './pool-of.ts';

/** The pool does not answer: tasks come back after this. */
const UNAVAILABLE_MS = 5_000;

/** No shard is known that has a key of the pool; configuration is mended by a deploy. */
const NO_KEYS_MS = 60_000;

/** A call waits here no longer than this in all: well within the slack of the task's lease. */
const MAX_IN_PLACE_MS = 6_000;

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
  /** Calls that waited can be made now; resolves when they have ended. */
  readonly ready: (calls: readonly Call[]) => Promise<void>;
}

export class KeyLeases {
  readonly #env: KeyEnv & Pick<CatalogEnv, 'services'>;
  readonly #host: CallHost;
  readonly #startedAt = Date.now();
  readonly #background: Background;
  readonly #leases = new OpenLeases<KeyReport>((lease, reports) => this.#background.add(this.#return(lease, reports)));
  /** Calls that were limited or refused, by lease. */
  readonly #again = new Map<string, EndedCall[]>();
  readonly #calls = new Map<string, Call>();
  /** Why a call that was made before waits again. */
  readonly #before = new Map<string, EndedCall>();
  readonly #moves = new Map<string, number>();

  constructor(env: KeyEnv & Pick<CatalogEnv, 'services'>, background: Background, host: CallHost) {
    this.#env = env;
    this.#background = background;
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

  /** Brings calls back; those that have nothing more to say of their key are passed on. */
  release(ended: readonly EndedCall[]): void {
    const settled: EndedCall[] = [];
    for (const each of ended) {
      const { key } = each.attempted;
      const isAgain = key !== undefined && this.#leases.has(each.id) && isAboutKey(key.feedback);
      if (!isAgain) settled.push(each);
      if (key === undefined) continue;
      const lease = this.#leases.end(each.id, reportOf(each, key), isAgain ? 'awaited' : 'free');
      if (isAgain && lease !== undefined) this.#again.set(lease.id, [...(this.#again.get(lease.id) ?? []), each]);
    }
    this.#leases.flushHalves();
    this.#host.ended(settled);
  }

  /** Brings back what is left. */
  flush(): void {
    this.#leases.flush();
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
      return { ready: [], ended: calls.map(({ id }) => this.#over(id, noKeyFor(UNAVAILABLE_MS))) };
    }
    return this.#follow(pool, leaseId, calls, answers);
  }

  #askedOf({ id, service, line, request }: Call, isFirst: boolean, mustNotWait: boolean): KeyCall {
    const bucket = bucketOfRequest(this.#env, service, { headers: request.headers ?? {}, json: jsonOf(request) });
    const target = line === undefined ? undefined : targetOfLine(line);
    // In a flow it has had its turn, and none here.
    const wasWoken = target !== undefined && target.kind !== 'flow';
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
    const waiting: Call[] = [];
    let until = Infinity;
    for (const answer of answers) {
      const call = byTask.get(answer.task);
      if (call === undefined) continue;
      this.#calls.set(call.id, call);
      if (answer.kind === 'granted') {
        ready.push({ ...call, key: { pool, number: answer.key } });
      } else if (answer.kind === 'start-at') {
        waiting.push(call);
        until = Math.min(until, answer.at);
      } else ended.push(this.#over(call.id, outcomeOf(answer)));
    }
    this.#leases.add(leaseId, pool, ready);
    if (waiting.length > 0) this.#background.add(this.#askAgain(pool, waiting, until));
    if (ended.length > 0) {
      logInfo('keys.short', { shard: this.#env.shard, pool, granted: ready.length, waiting: ended.length });
    }
    return { ready, ended };
  }

  async #askAgain(pool: string, calls: readonly Call[], at: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, Math.max(MIN_PAUSE_MS, at - Date.now())));
    await this.#takeAnew(pool, calls);
  }

  async #takeAnew(pool: string, calls: readonly Call[]): Promise<void> {
    if (calls.length === 0) return;
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
    return this.#over(call.id, noKeyFor(shard === undefined ? NO_KEYS_MS : 0));
  }

  async #return({ id: leaseId, owner: pool }: OpenLease<KeyReport>, reports: KeyReport[]): Promise<void> {
    const again = this.#again.get(leaseId) ?? [];
    this.#again.delete(leaseId);
    await releaseKeys(this.#env, pool, leaseId, reports);
    if (again.length === 0) return;
    for (const each of again) this.#before.set(each.id, each);
    // One that was limited with a server's place looks for a key, and a place, later.
    const calls = new Map(again.flatMap(({ id }) => this.#calls.get(id) ?? []).map((call) => [call.id, call]));
    const isPlaced = ({ id }: EndedCall) => calls.get(id)?.servers !== undefined;
    this.#host.ended(again.filter(isPlaced));
    await this.#takeAnew(
      pool,
      again.filter((each) => !isPlaced(each)).flatMap(({ id }) => calls.get(id) ?? []),
    );
  }

  /** The reason why a call waits is how it ended, if it was made; what becomes of it is what the pool says. */
  #over(id: string, outcome: Outcome): EndedCall {
    const before = this.#before.get(id);
    if (before === undefined) return notCalled(id, outcome);
    const { attempted } = before;
    if (outcome.kind !== 'deferred' || attempted.outcome.kind !== 'deferred')
      return { id, attempted: { ...attempted, outcome } };
    const { reason, error } = attempted.outcome;
    return { id, attempted: { ...attempted, outcome: { ...outcome, reason, ...(error && { error }) } } };
  }
}

function noKeyFor(retryAfterMs: number): Outcome {
  return { kind: 'deferred', reason: 'no-key', retryAfterMs, placedBy: 'key-pool' };
}

function jsonOf({ body }: Call['request']): string | undefined {
  return body?.encoding === 'json' ? body.text : undefined;
}

function reportOf({ id }: EndedCall, { feedback, facts }: KeyUse): KeyReport {
  return { task: id, feedback, ...(facts !== undefined && { facts }) };
}

function outcomeOf(answer: Extract<KeyAnswer, { kind: 'park' | 'fail' }>): Outcome {
  if (answer.kind === 'fail') return permanentRefusal(answer.detail, answer.httpStatus);
  const { line, reason, until } = answer;
  const retryAfterMs = until === undefined ? undefined : Math.max(0, until - Date.now());
  return { kind: 'deferred', reason, retryAfterMs, park: { line } };
}
