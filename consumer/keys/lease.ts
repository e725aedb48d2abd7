/**
 * Gives a batch its keys: for every task a key now, or the moment at which it will find one. Room is
 * given in the order of the keys' load, so that use spreads evenly. What is promised to waiting tasks
 * is not given to new ones: each waiting task has a place of its own in the time to come, so that they
 * return one by one and not at once. Pure over the pool's state.
 */
import type { ShardOutlook } from '../../shared/ledger/contract.ts';
import { bestElsewhere, type Outlook, outlookOf } from './outlook.ts';
import { type ConfiguredLimits, type Key, keysOf, type Pool, type Quota, type RosterEntry, setRoster } from './pool.ts';
import { callPauseMs, chooseScout, type Gate, gateOf, loadOf, MINUTE_MS, recentCalls } from './quota.ts';
import { release } from './release.ts';
import { hasRefused, isOpenTo, judge } from './standing.ts';
import { addStarts, forgetStarts } from './start-log.ts';

export interface LeaseRequest {
  /** Names the calls of this batch when they are given back. */
  readonly block: string;
  /** When the last of its calls has ended for sure, Unix ms. */
  readonly expiresAt: number;
  readonly tasks: readonly LeaseTask[];
  readonly roster: readonly RosterEntry[];
  readonly configured: ConfiguredLimits;
  /** The same pool on other shards. */
  readonly elsewhere: readonly ShardOutlook[];
  /** Tasks that other shards have sent here since the last lease. */
  readonly incoming: number;
}

export interface LeaseTask {
  readonly id: string;
  /** It has waited before: what it was promised is there for it. */
  readonly hasWaited: boolean;
}

export type WaitReason = 'no-key' | 'key-refused';

export type KeyDecision =
  | { readonly task: string; readonly is: 'granted'; readonly key: number }
  /** `shard`: where it is to wait, when not here. */
  | {
      readonly task: string;
      readonly is: 'waiting';
      readonly until: number;
      readonly why: WaitReason;
      readonly shard?: number;
    }
  /** Two keys refused it that work for others. */
  | { readonly task: string; readonly is: 'refused'; readonly httpStatus: number };

export interface LeaseAnswer {
  readonly decisions: readonly KeyDecision[];
  readonly outlook: Outlook;
}

/** A probe has an answer by then, mostly; who waits for it comes one after the other. */
const PROBE_LASTS_MS = 5_000;
const PROBE_SPREAD_MS = 100;

/** A key as it stands during one lease. */
interface Opening {
  readonly key: Key;
  readonly quota: Quota;
  room: number;
}

/** Room and load of a quota, which several openings may share. */
interface Tally {
  /** As it stood when last asked; undefined after a call was given since. */
  gate: Gate | undefined;
  room: number;
  load: number;
  readonly perCall: number;
  /** Where the next waiting task that has waited before stands. */
  queuedUntil: number;
}

/** Promises reach no further than a limit can be trusted: what is only learnt may change soon. */
const HORIZON_MS = 60 * MINUTE_MS;
const LEARNT_HORIZON_MS = 2 * MINUTE_MS;

/** Nothing is known that could help: looks again after this. */
const NO_PROSPECT_MS = 5 * MINUTE_MS;

export function lease(pool: Pool, request: LeaseRequest, now: number): LeaseAnswer {
  setRoster(pool, request.roster);
  pool.configured = request.configured;
  expireBlocks(pool, now);
  const table = new LeaseTable(pool, now);
  table.promise(request.incoming);
  const open = new Map<string, string>();
  const elsewhere = request.elsewhere.map((shard) => ({ ...shard }));

  // Who has waited is served first.
  const order = [...request.tasks].sort((a, b) => Number(b.hasWaited) - Number(a.hasWaited));
  const decisions = order.map((task): KeyDecision => {
    const judged = judge(pool, task.id, now);
    if (judged.is === 'guilty') return { task: task.id, is: 'refused', httpStatus: judged.httpStatus };
    if (judged.is === 'suspect') return { task: task.id, is: 'waiting', until: judged.until, why: 'key-refused' };
    const key = table.take(task);
    if (key !== undefined) {
      open.set(task.id, key.fingerprint);
      return { task: task.id, is: 'granted', key: key.number };
    }
    return table.wait(task, elsewhere);
  });
  if (open.size > 0) pool.blocks.set(request.block, { leasedAt: now, expiresAt: request.expiresAt, open });
  return { decisions, outlook: outlookOf(pool, now) };
}

/** A place for a task that was limited or refused just now: it has waited, whatever it was before. */
export function placeAgain(pool: Pool, tasks: readonly string[], now: number): KeyDecision[] {
  const table = new LeaseTable(pool, now);
  return tasks.map((id) => {
    const judged = judge(pool, id, now);
    if (judged.is === 'guilty') return { task: id, is: 'refused', httpStatus: judged.httpStatus };
    if (judged.is === 'suspect') return { task: id, is: 'waiting', until: judged.until, why: 'key-refused' };
    return table.wait({ id, hasWaited: true }, []);
  });
}

function expireBlocks(pool: Pool, now: number): void {
  for (const [id, block] of pool.blocks) {
    if (block.expiresAt > now) continue;
    for (const task of [...block.open.keys()]) release(pool, block, task);
    pool.blocks.delete(id);
  }
}

class LeaseTable {
  readonly #pool: Pool;
  readonly #now: number;
  readonly #openings: Opening[];
  readonly #tallies = new Map<string, Tally>();
  #beyond = 0;
  #withoutProspect = 0;

  constructor(pool: Pool, now: number) {
    this.#pool = pool;
    this.#now = now;
    const keys = keysOf(pool);
    for (const { quota } of keys) forgetStarts(quota.starts, now - 2 * MINUTE_MS);
    chooseScout(
      pool,
      keys.filter(({ key }) => key.standing.is === 'enabled').map(({ quota }) => quota),
      now,
    );
    this.#openings = keys.map(({ key, quota }) => {
      if (!this.#tallies.has(quota.id)) {
        const gate = gateOf(pool, quota, now);
        this.#tallies.set(quota.id, { gate, room: gate.room, ...loadOf(pool, quota, now), queuedUntil: 0 });
      }
      return { key, quota, room: this.#roomOf(key) };
    });
  }

  #roomOf(key: Key): number {
    if (key.standing.is === 'refused') return 1;
    const concurrency = Math.min(key.concurrency, this.#pool.configured.concurrency ?? Number.POSITIVE_INFINITY);
    return Math.max(0, Math.floor(concurrency) - key.inFlight);
  }

  /** The key that is least used among those free for this task, or undefined. */
  take({ id, hasWaited }: LeaseTask): Key | undefined {
    let best: { opening: Opening; tally: Tally } | undefined;
    for (const opening of this.#openings) {
      const tally = this.#tallyOf(opening);
      if (opening.room < 1 || tally.room < 1 || !isOpenTo(opening.key, id, this.#now)) continue;
      if (!hasWaited && !this.#isUnpromised(opening)) continue;
      if (best === undefined || this.#goesBefore(opening, tally, best)) best = { opening, tally };
    }
    if (best === undefined) return undefined;
    this.#use(best.opening, best.tally, id);
    return best.opening.key;
  }

  /** Room that is promised to nobody: the scout's headroom never is. */
  #isUnpromised({ quota }: Opening): boolean {
    return quota.promisedUntil <= this.#now || quota.id === this.#pool.scout;
  }

  /** A probe first, then by load, then who rested longest. */
  #goesBefore(opening: Opening, tally: Tally, best: { opening: Opening; tally: Tally }): boolean {
    const probes = Number(opening.key.standing.is === 'refused') - Number(best.opening.key.standing.is === 'refused');
    if (probes !== 0) return probes > 0;
    const load = tally.load - best.tally.load;
    if (load !== 0) return load < 0;
    return opening.key.lastUsedAt < best.opening.key.lastUsedAt;
  }

  #use(opening: Opening, tally: Tally, task: string): void {
    const { key, quota } = opening;
    opening.room -= 1;
    tally.room -= 1;
    tally.load += tally.perCall;
    tally.gate = undefined;
    key.inFlight += 1;
    quota.inFlight += 1;
    key.calls += 1;
    key.lastUsedAt = this.#now;
    addStarts(quota.starts, this.#now, 1);
    quota.lastStartAt = this.#now;
    quota.recent = { calls: recentCalls(quota, this.#now) + 1, at: this.#now };
    if (key.standing.is === 'refused') key.prober = task;
  }

  /** Where and until when a task waits that finds no key now. */
  wait(task: LeaseTask, elsewhere: ShardOutlook[]): KeyDecision {
    const now = this.#now;
    const usable = this.#openings.filter(({ key }) => key.standing.is === 'enabled' && !hasRefused(key, task.id, now));
    const here = this.#earliest(usable, task.hasWaited);
    const there = bestElsewhere(elsewhere, here?.at, now);
    if (there !== undefined) {
      return { task: task.id, is: 'waiting', until: there.at, why: 'no-key', shard: there.shard };
    }
    if (here === undefined) return { task: task.id, is: 'waiting', ...this.#afterProbe() };
    const horizon = now + this.#horizonMs(here.opening.quota);
    if (here.at > horizon) {
      // Too far to promise: spread over the last fifth before the horizon, by the golden ratio.
      this.#beyond = (this.#beyond + 0.618) % 1;
      const until = now + (horizon - now) * (0.8 + 0.2 * this.#beyond);
      return { task: task.id, is: 'waiting', until, why: 'no-key' };
    }
    this.#promiseAt(here.opening, here.at, task.hasWaited);
    return { task: task.id, is: 'waiting', until: here.at, why: 'no-key' };
  }

  /** Keeps room for tasks that are on their way. */
  promise(count: number): void {
    const usable = this.#openings.filter(({ key }) => key.standing.is === 'enabled');
    for (let left = count; left > 0; left--) {
      const place = this.#earliest(usable, false);
      if (place === undefined || place.at > this.#now + LEARNT_HORIZON_MS) return;
      this.#promiseAt(place.opening, place.at, false);
    }
  }

  #earliest(usable: readonly Opening[], hasWaited: boolean): { opening: Opening; at: number } | undefined {
    let first: { opening: Opening; at: number } | undefined;
    for (const opening of usable) {
      const at = this.#placeAt(opening, hasWaited);
      if (first === undefined || at < first.at) first = { opening, at };
    }
    return first;
  }

  #placeAt(opening: Opening, hasWaited: boolean): number {
    const { quota, room } = opening;
    const tally = this.#tallyOf(opening);
    const isBusy = room < 1 && tally.room >= 1;
    const freeAt = isBusy ? this.#now + callPauseMs(this.#pool) : this.#gateOf(quota, tally).freeAt;
    return Math.max(freeAt, hasWaited ? tally.queuedUntil : quota.promisedUntil, this.#now);
  }

  #promiseAt(opening: Opening, at: number, hasWaited: boolean): void {
    const { quota } = opening;
    const tally = this.#tallyOf(opening);
    const gate = this.#gateOf(quota, tally);
    const spacingMs = Math.max(gate.spacingMs, callPauseMs(this.#pool) / Math.max(1, opening.key.concurrency));
    if (hasWaited) tally.queuedUntil = at + spacingMs;
    // Who is placed again takes room that was promised to others, who then come a little later.
    quota.promisedUntil = Math.max(quota.promisedUntil, hasWaited ? gate.freeAt : at) + spacingMs;
  }

  /** No key is in use: one task comes for each probe that is due next, the others when it has shown something. */
  #afterProbe(): { readonly until: number; readonly why: WaitReason } {
    const times = this.#openings.flatMap(({ key: { standing } }) =>
      standing.is === 'refused' ? [Math.max(standing.probeAt, this.#now)] : [],
    );
    const turn = this.#withoutProspect++;
    const spreadMs = Math.min(MINUTE_MS, turn * PROBE_SPREAD_MS);
    if (times.length === 0) return { until: this.#now + NO_PROSPECT_MS + spreadMs, why: 'no-key' };
    const until = Math.min(...times) + (turn < times.length ? 0 : PROBE_LASTS_MS + spreadMs);
    return { until, why: 'key-refused' };
  }

  #horizonMs(quota: Quota): number {
    const isTrusted = this.#pool.configured.requestsPerMinute !== undefined || quota.requests !== undefined;
    return isTrusted || (quota.cooling?.until ?? 0) > this.#now + LEARNT_HORIZON_MS ? HORIZON_MS : LEARNT_HORIZON_MS;
  }

  #gateOf(quota: Quota, tally: Tally): Gate {
    tally.gate ??= gateOf(this.#pool, quota, this.#now);
    return tally.gate;
  }

  #tallyOf({ quota }: Opening): Tally {
    const tally = this.#tallies.get(quota.id);
    if (tally === undefined) throw new Error(`quota ${quota.id} has no tally`);
    return tally;
  }
}
