/**
 * One batch's keys: taken for its calls by pool, released with what the calls said of them, and asked for anew
 * where a call was limited or refused. Two questions a pool and batch, mostly: bad news goes at once.
 */
import { targetOfLine } from '../../shared/capacity/line.ts';
import type { Outcome } from '../call/answer/outcome.ts';
import { type Call, type EndedCall, type KeyUse, notCalled } from '../call/call.ts';
import { isAboutKey, type KeyReport } from '../keys/pool/feedback.ts';
import type { KeyCall } from '../keys/pool/lease.ts';
import type { CatalogEnv, KeyEnv } from './capacity-env.ts';
import { askForKeys, releaseKeys } from './key-source.ts';
import { type Leased, Leases, type Question, UNAVAILABLE_MS } from './leases.ts';
import { bucketOfRequest, poolOf } from './pool-of.ts';

/** No shard is known that has a key of the pool; configuration is mended by a deploy. */
const NO_KEYS_MS = 60_000;

interface KeyGrant {
  readonly key: number;
}

export class KeyLeases extends Leases<KeyEnv & Pick<CatalogEnv, 'services'>, KeyGrant, KeyReport> {
  protected readonly maxInPlaceMs = 6_000;
  protected readonly unanswered = noKeyFor(UNAVAILABLE_MS);
  protected readonly shortEvent = 'keys.short';
  readonly #calls = new Map<string, Call>();
  /** How calls ended that were limited or refused, and look for a key again. */
  readonly #before = new Map<string, EndedCall>();
  readonly #moves = new Map<string, number>();

  /** The shard that a task is to wait on, when it is not this one. */
  shardFor(task: string): number | undefined {
    return this.#moves.get(task);
  }

  take(calls: readonly Call[]): Promise<Leased> {
    return this.leaseEach(calls, ({ service }) => poolOf(this.env, service));
  }

  protected override lease(pool: string, calls: readonly Call[], round = 0): Promise<Leased> {
    if (this.env.keys.ring.pools.has(pool)) return super.lease(pool, calls, round);
    return Promise.resolve({ ready: [], ended: calls.map((call) => this.#sendToKeys(pool, call)) });
  }

  /** Brings calls back; those that have nothing more to say of their key are passed on. */
  release(ended: readonly EndedCall[]): void {
    const settled: EndedCall[] = [];
    for (const each of ended) {
      const { key } = each.attempted;
      const isAgain = key !== undefined && this.open.has(each.id) && isAboutKey(key.feedback);
      if (isAgain) this.#before.set(each.id, each);
      else settled.push(each);
      if (key !== undefined) this.open.end(each.id, reportOf(each, key), isAgain ? 'awaited' : 'free');
    }
    this.open.flushHalves();
    this.host.ended(settled);
  }

  protected ask(pool: string, { leaseId, expiresAt, calls, round, mustNotWait }: Question) {
    const asked = calls.map((call) => this.#askedOf(call, round === 0, mustNotWait));
    return askForKeys(this.env, pool, { leaseId, expiresAt, calls: asked });
  }

  #askedOf({ id, service, line, request }: Call, isFirst: boolean, mustNotWait: boolean): KeyCall {
    const bucket = bucketOfRequest(this.env, service, { headers: request.headers ?? {}, json: jsonOf(request) });
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

  protected grant(pool: string, call: Call, { key }: KeyGrant): Call {
    this.#calls.set(call.id, call);
    return { ...call, key: { pool, number: key } };
  }

  /** This shard has no key of the pool: any other that has. */
  #sendToKeys(pool: string, call: Call): EndedCall {
    const shards = (this.env.keys.shards[pool] ?? []).filter((shard) => this.env.keys.shardQueue(shard) !== undefined);
    const shard = shards[Math.floor(Math.random() * shards.length)];
    if (shard !== undefined) this.#moves.set(call.id, shard);
    return notCalled(call.id, noKeyFor(shard === undefined ? NO_KEYS_MS : 0));
  }

  protected async report(pool: string, leaseId: string, reports: KeyReport[]): Promise<void> {
    await releaseKeys(this.env, pool, leaseId, reports);
    const again = reports.flatMap(({ task, feedback }) => (isAboutKey(feedback) ? (this.#calls.get(task) ?? []) : []));
    if (again.length === 0) return;
    const { placed = [], anew = [] } = Object.groupBy(again, ({ servers }) => (servers ? 'placed' : 'anew'));
    // One that was limited with a server's place looks for a key, and a place, later.
    this.host.ended(placed.flatMap(({ id }) => this.#before.get(id) ?? []));
    if (anew.length > 0) await this.passOn(await this.lease(pool, anew, 1));
  }

  /** The reason why a call waits is how it ended, if it was made; what becomes of it is what the pool says. */
  protected override declined(id: string, outcome: Outcome): EndedCall {
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
