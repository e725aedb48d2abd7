/**
 * One batch's keys: taken for its calls by pool, released with what the calls said of them, and asked for anew
 * where a call was limited or refused. Two questions a pool and batch, mostly: bad news goes at once.
 */
import { type LineTarget, targetOfLine } from '../../shared/capacity/line.ts';
import type { Outcome } from '../call/answer/outcome.ts';
import { type Call, type EndedCall, type KeyUse, notCalled } from '../call/call.ts';
import { isAboutKey, type KeyReport } from '../keys/pool/feedback.ts';
import type { KeyCall } from '../keys/pool/lease.ts';
import type { Background } from './background.ts';
import type { CatalogEnv, KeyEnv } from './capacity-env.ts';
import { askForKeys, noteElsewhere, releaseKeys } from './key-source.ts';
import { type CallHost, type Leased, Leases, type Question, UNAVAILABLE_MS } from './leases.ts';
import { bucketOfRequest, poolOf } from './pool-of.ts';

/** No shard is known that has a key of the pool; configuration is mended by a deploy. */
const NO_KEYS_MS = 60_000;

interface KeyGrant {
  readonly key: number;
}

export class KeyLeases extends Leases<KeyEnv & Pick<CatalogEnv, 'services'>, KeyGrant, KeyReport> {
  protected readonly maxInPlaceMs = 6_000;
  protected override readonly leadMs = 300;
  protected readonly unanswered = noKeyFor(UNAVAILABLE_MS);
  protected readonly shortEvent = 'keys.short';
  readonly #calls = new Map<string, Call>();
  /** Calls that look for a key again, and have not been passed on by the runner yet. */
  readonly #again = new Set<EndedCall>();
  /** How calls ended that were limited or refused, and look for a key again. */
  readonly #before = new Map<string, EndedCall>();
  readonly #moves = new Map<string, number>();
  /** Pools that tasks stand in line for, as far as this batch has seen. */
  readonly #lines = new Set<string>();
  /** Calls that the batch may still begin. */
  readonly #turns: () => number;
  /** Calls that are being asked for. */
  #asking = 0;
  /** Those that were limited or refused, until that is reported. */
  #askingAgain = 0;
  /** Those that wait until a turn is free. */
  readonly #inTurn: (() => void)[] = [];
  #turnTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(env: KeyEnv & Pick<CatalogEnv, 'services'>, background: Background, host: CallHost, turns: () => number) {
    super(env, background, host);
    this.#turns = turns;
  }

  /** The shard that a task is to wait on, when it is not this one. */
  shardFor(task: string): number | undefined {
    return this.#moves.get(task);
  }

  take(calls: readonly Call[]): Promise<Leased> {
    return this.leaseEach(calls, ({ service }) => poolOf(this.env, service));
  }

  protected override async lease(pool: string, calls: readonly Call[], round = 0): Promise<Leased> {
    if (!this.env.keys.ring.pools.has(pool)) {
      return { ready: [], ended: calls.map((call) => this.#sendToKeys(pool, call)) };
    }
    if (calls.some(isWoken)) this.#lines.add(pool);
    const turns = round === 0 && this.#isAwaited(pool) ? this.#freeTurns() : calls.length;
    const [asked, later] = [calls.slice(0, turns), calls.slice(turns)];
    if (later.length > 0) this.background.add(this.#leaseInTurn(pool, later));
    if (asked.length === 0) return { ready: [], ended: [] };
    this.#asking += asked.length;
    try {
      return await super.lease(pool, asked, round);
    } finally {
      this.#asking -= asked.length;
      this.#noteTurn();
    }
  }

  /** For these a turn comes when others have ended: a key that waited with them would be missing elsewhere. */
  async #leaseInTurn(pool: string, calls: readonly Call[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const lookAgain = setTimeout(resolve, this.maxInPlaceMs);
    this.#inTurn.push(resolve);
    await promise;
    clearTimeout(lookAgain);
    await this.passOn(await this.lease(pool, calls, 0));
  }

  #freeTurns(): number {
    return Math.max(0, this.#turns() - this.#asking - this.#askingAgain - this.waiting);
  }

  /** A turn may be free in a moment. */
  #noteTurn(): void {
    if (this.#inTurn.length > 0 && this.#turnTimer === undefined)
      this.#turnTimer = setTimeout(() => this.#askInTurn(), 0);
  }

  #askInTurn(): void {
    this.#turnTimer = undefined;
    if (this.#freeTurns() > 0) for (const ask of this.#inTurn.splice(0)) ask();
  }

  /** The call has ended, and is passed on in a moment. What is bad news, or awaited, its key's owner hears at once. */
  over(ended: EndedCall): void {
    const { key } = ended.attempted;
    this.#noteTurn();
    if (key === undefined || !this.open.has(ended.id)) return;
    const isAgain = isAboutKey(key.feedback);
    if (!isAgain && !this.#isAwaited(key.pool)) return;
    if (isAgain) {
      this.#askingAgain += 1;
      this.#again.add(ended);
      this.#before.set(ended.id, ended);
    }
    this.open.end(ended.id, reportOf(ended, key), 'awaited');
  }

  #isAwaited(pool: string): boolean {
    return this.waiting > 0 || this.#lines.has(pool);
  }

  /** Brings calls back; those that have nothing more to say of their key are passed on. */
  release(ended: readonly EndedCall[]): void {
    const settled = ended.filter((each) => !this.#again.delete(each));
    for (const each of settled) {
      const { key } = each.attempted;
      if (key !== undefined) this.open.end(each.id, reportOf(each, key), 'free');
    }
    this.open.flushHalves();
    this.host.ended(settled);
  }

  protected async ask(pool: string, { leaseId, expiresAt, calls, round, mustNotWait }: Question) {
    const asked = calls.map((call) => this.#askedOf(call, round === 0, mustNotWait));
    const answers = await askForKeys(this.env, pool, {
      leaseId,
      expiresAt,
      calls: asked,
      mayWait: round > 0 && !mustNotWait,
    });
    if (answers?.some(({ kind }) => kind === 'park')) this.#lines.add(pool);
    return answers;
  }

  protected override tellElsewhere(lines: readonly string[]): void {
    const targets = lines
      .flatMap((line) => targetOfLine(line) ?? [])
      .filter((target) => target.kind === 'pool')
      .filter((target) => !isOfRefused(target));
    for (const [pool, those] of Map.groupBy(targets, (target) => target.pool)) {
      const buckets = those.map(({ bucket = '' }) => bucket);
      if (this.env.keys.ring.pools.has(pool)) this.background.add(noteElsewhere(this.env, pool, buckets));
    }
  }

  #askedOf({ id, service, line, request }: Call, isFirst: boolean, mustNotWait: boolean): KeyCall {
    const bucket = bucketOfRequest(this.env, service, { headers: request.headers ?? {}, json: jsonOf(request) });
    const target = line === undefined ? undefined : targetOfLine(line);
    // In a flow it has had its turn, and none here.
    const wasWoken = target !== undefined && target.kind !== 'flow';
    return {
      task: id,
      ...(bucket !== undefined && { bucket }),
      ...((wasWoken || !isFirst) && { isInTurn: true }),
      ...(wasWoken && isFirst && !isOfRefused(target) && { hasArrived: true }),
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
    this.#askingAgain -= again.length;
    if (again.length > 0) await this.passOn(await this.lease(pool, again, 1));
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

/** It stood in a pool's line: others do so still. */
function isWoken({ line }: Call): boolean {
  const target = line === undefined ? undefined : targetOfLine(line);
  return target?.kind === 'pool' && !isOfRefused(target);
}

function isOfRefused(target: LineTarget): boolean {
  return target.kind === 'pool' && target.isOfRefused === true;
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
