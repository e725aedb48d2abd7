/**
 * Gives a batch its keys: for every task a key now, or the moment at which it will find one. Room is
 * given in the order of the keys' load, so that use spreads evenly. What is promised to waiting tasks
 * is not given to new ones: each waiting task has a place of its own in the time to come, so that they
 * return one by one and not at once. Pure over the pool's state.
 */
import type { ShardOutlook } from '../../../shared/ledger/contract.ts';
import { addStarts, countUntil, forgetStarts, removeStart } from '../../../shared/pace/start-log.ts';
import { afterOneStart, type Gate, gateOf, loadOf, MINUTE_MS, recentCalls } from './gate.ts';
import { chooseScout, takeWarning } from './learning.ts';
import { bestElsewhere, isLooseThere, type Outlook, outlookOf } from './outlook.ts';
import { placeAt, returnAt } from './place.ts';
import { type ConfiguredLimits, type Key, keysOf, type Pool, type Quota, type RosterEntry, setRoster } from './pool.ts';
import { release } from './release.ts';
import { hasBeenRefused, hasRefused, isOpenTo, judge } from './standing.ts';

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
  /** How often it has waited before: if it has, what it was promised is there for it. */
  readonly waits: number;
  /** It will not come back after this, Unix ms: nothing later is kept for it, here or elsewhere. */
  readonly patientUntil?: number;
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

/** A key as it stands during one lease. */
interface Opening {
  readonly key: Key;
  readonly quota: Quota;
  room: number;
}

/** A quota as it stands during one lease; several openings may share it. */
interface Tally {
  /** As it stood when last asked; undefined after a call was given or promised since. */
  gate: Gate | undefined;
  /** Promised starts whose time has come. */
  due: number;
  load: number;
  readonly perCall: number;
}

/** A key that a task could have. */
interface Choice {
  readonly opening: Opening;
  readonly tally: Tally;
  readonly isKept: boolean;
  readonly isProbe: boolean;
}

/** Promises reach no further than a limit can be trusted: what is only learnt may change soon. */
const HORIZON_MS = 60 * MINUTE_MS;
const LEARNT_HORIZON_MS = 2 * MINUTE_MS;

/** A probe has an answer by then, mostly; who waits for it comes one after the other. */
const PROBE_LASTS_MS = 5_000;
const PROBE_SPREAD_MS = 100;

/** Nothing is known that could help: looks again after this. */
const NO_PROSPECT_MS = 5 * MINUTE_MS;

/** A task that comes this little before its time is let in. */
const EARLY_MS = 500;

/** A promise that was not taken up for so long is void: its task has ended, or waits elsewhere. */
const VOID_AFTER_MS = 30_000;

export function lease(pool: Pool, request: LeaseRequest, now: number): LeaseAnswer {
  setRoster(pool, request.roster);
  pool.configured = request.configured;
  expireBlocks(pool, now);
  for (const { bears } of request.elsewhere) if (bears !== null) takeWarning(pool, bears, now);
  const table = new LeaseTable(pool, now);
  table.keep(request.incoming);
  const open = new Map<string, string>();
  const elsewhere = request.elsewhere.map((shard) => ({ ...shard }));

  // Who has waited is served first.
  const order = [...request.tasks].sort((a, b) => Number(b.waits > 0) - Number(a.waits > 0));
  const decisions = order.map((task): KeyDecision => {
    const judged = judgement(pool, task.id, now);
    if (judged !== undefined) return judged;
    const key = table.take(task);
    if (key === undefined)
      return (task.waits > 0 ? table.returnEarly(task, elsewhere) : undefined) ?? table.wait(task, elsewhere);
    open.set(task.id, key.fingerprint);
    return { task: task.id, is: 'granted', key: key.number };
  });
  if (open.size > 0) pool.blocks.set(request.block, { leasedAt: now, expiresAt: request.expiresAt, open });
  return { decisions, outlook: outlookOf(pool, now) };
}

/** A place for tasks that were limited or refused just now. */
export function placeAgain(pool: Pool, tasks: readonly string[], now: number): KeyDecision[] {
  if (tasks.length === 0) return [];
  const table = new LeaseTable(pool, now);
  return tasks.map((id) => judgement(pool, id, now) ?? table.wait({ id, waits: 1 }, []));
}

function judgement(pool: Pool, task: string, now: number): KeyDecision | undefined {
  const judged = judge(pool, task, now);
  switch (judged.is) {
    case 'innocent':
      return undefined;
    case 'guilty':
      return { task, is: 'refused', httpStatus: judged.httpStatus };
    case 'suspect':
      return { task, is: 'waiting', until: judged.until, why: 'key-refused' };
  }
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
    forgetStarts(pool.displaced, now - VOID_AFTER_MS);
    for (const { quota } of keys) {
      forgetStarts(quota.starts, now - 2 * MINUTE_MS);
      forgetStarts(quota.promised, now - VOID_AFTER_MS);
    }
    chooseScout(
      pool,
      keys.filter(({ key }) => key.standing.is === 'enabled').map(({ quota }) => quota),
      now,
    );
    this.#openings = keys.map(({ key, quota }) => {
      if (!this.#tallies.has(quota.id)) {
        const due = countUntil(quota.promised, now + EARLY_MS);
        this.#tallies.set(quota.id, { gate: undefined, due, ...loadOf(pool, quota, now) });
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
  take({ id, waits }: LeaseTask): Key | undefined {
    let best: Choice | undefined;
    const isSuspicious = hasBeenRefused(this.#pool, id, this.#now);
    for (const opening of this.#openings) {
      if (opening.room < 1 || !isOpenTo(opening.key, id, this.#now)) continue;
      const tally = this.#tallyOf(opening.quota);
      const gate = this.#gateOf(opening.quota, tally);
      const isKept = waits > 0 && tally.due > 0 && gate.kept > 0;
      if (!isKept && gate.room < 1) continue;
      // Who was refused before is no measure for a key, as long as there are others.
      const isProbe = opening.key.standing.is === 'refused' && !isSuspicious;
      const found = { opening, tally, isKept, isProbe };
      if (best === undefined || goesBefore(found, best)) best = found;
    }
    if (best === undefined) return undefined;
    this.#use(best.opening, best.tally, best.isKept, id);
    if (waits > 0 && !best.isKept && !this.#giveUpDue()) this.#giveUpExpected();
    return best.opening.key;
  }

  #use(opening: Opening, tally: Tally, isKept: boolean, task: string): void {
    const { key, quota } = opening;
    opening.room -= 1;
    if (isKept) {
      removeStart(quota.promised, 0);
      tally.due -= 1;
    }
    tally.load += tally.perCall;
    tally.gate = isKept ? undefined : tally.gate && afterOneStart(quota, tally.gate);
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
  wait({ id: task, waits, patientUntil }: LeaseTask, elsewhere: ShardOutlook[]): KeyDecision {
    const place = this.#earliest((key) => key.standing.is === 'enabled' && !hasRefused(key, task, this.#now));
    const here = place && { quota: place.quota, at: this.#returnAt(place, waits, elsewhere.some(isLooseThere)) };
    if (here !== undefined && patientUntil !== undefined && here.at > patientUntil) {
      return { task, is: 'waiting', until: here.at, why: 'no-key' };
    }
    const there = bestElsewhere(elsewhere, place?.at, this.#now);
    if (there !== undefined) return { task, is: 'waiting', until: there.at, why: 'no-key', shard: there.shard };
    if (here === undefined) return { task, is: 'waiting', ...this.#afterProbe() };
    const horizon = this.#now + this.#horizonMs(here.quota);
    if (here.at > horizon) {
      // Too far to promise: spread over the last fifth before the horizon, by the golden ratio.
      this.#beyond = (this.#beyond + 0.618) % 1;
      const until = this.#now + (horizon - this.#now) * (0.8 + 0.2 * this.#beyond);
      return { task, is: 'waiting', until, why: 'no-key' };
    }
    this.#promise(here.quota, here.at);
    return { task, is: 'waiting', until: here.at, why: 'no-key' };
  }

  /** Keeps places for tasks that are on their way from other shards. */
  keep(count: number): void {
    const expected = this.#pool.expected.filter(({ at }) => at > this.#now);
    for (let left = count; left > 0; left--) {
      const place = this.#earliest((key) => key.standing.is === 'enabled');
      if (place === undefined || place.at > this.#now + LEARNT_HORIZON_MS) break;
      this.#promise(place.quota, place.at);
      if (place.at > this.#now) expected.push({ quotaId: place.quota.id, at: place.at });
    }
    this.#pool.expected = expected.sort((a, b) => a.at - b.at);
  }

  /**
   * A task comes back and finds no key. If a promise is due, it was its own and could not be kept: the
   * task is placed anew. Otherwise it comes before the place that was kept for it.
   */
  returnEarly({ id: task }: LeaseTask, elsewhere: ShardOutlook[]): KeyDecision | undefined {
    if (this.#giveUpDue()) return undefined;
    const [place, ...others] = this.#pool.expected;
    if (place === undefined) return undefined;
    // One of those that come early is to stand last; it is as well this one.
    const there = bestElsewhere(elsewhere, others.at(-1)?.at ?? place.at, this.#now);
    if (there !== undefined) {
      this.#giveUpExpected();
      return { task, is: 'waiting', until: there.at, why: 'no-key', shard: there.shard };
    }
    this.#pool.expected = others;
    return { task, is: 'waiting', until: place.at, why: 'no-key' };
  }

  /** Each task that is back uses up one promise, or one that became void: so there are as many as tasks that wait. */
  #giveUpDue(): boolean {
    if (countUntil(this.#pool.displaced, this.#now + EARLY_MS) > 0) {
      removeStart(this.#pool.displaced, 0);
      return true;
    }
    for (const { quota } of this.#openings) {
      const tally = this.#tallyOf(quota);
      if (tally.due === 0) continue;
      removeStart(quota.promised, 0);
      tally.due -= 1;
      tally.gate = undefined;
      return true;
    }
    return false;
  }

  /** The last of them: who comes later moves up. */
  #giveUpExpected(): void {
    const place = this.#pool.expected.at(-1);
    const quota = place && this.#pool.quotas.get(place.quotaId);
    if (place === undefined || quota === undefined) return;
    this.#pool.expected = this.#pool.expected.slice(0, -1);
    removeStart(quota.promised, place.at);
    const tally = this.#tallies.get(quota.id);
    if (tally !== undefined) tally.gate = undefined;
  }

  #earliest(isUsable: (key: Key) => boolean): { quota: Quota; at: number } | undefined {
    let first: { quota: Quota; at: number } | undefined;
    for (const { key, quota, room } of this.#openings) {
      if (!isUsable(key)) continue;
      const at = placeAt(this.#pool, quota, this.#gateOf(quota, this.#tallyOf(quota)), room < 1, this.#now);
      if (first === undefined || at < first.at) first = { quota, at };
    }
    return first;
  }

  #returnAt({ quota, at }: { quota: Quota; at: number }, waits: number, looseElsewhere: boolean): number {
    return returnAt(this.#pool, quota, this.#gateOf(quota, this.#tallyOf(quota)), at, waits, looseElsewhere, this.#now);
  }

  #promise(quota: Quota, at: number): void {
    addStarts(quota.promised, at, 1);
    const tally = this.#tallyOf(quota);
    tally.gate = undefined;
    if (at <= this.#now + EARLY_MS) tally.due += 1;
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

  #tallyOf(quota: Quota): Tally {
    const tally = this.#tallies.get(quota.id);
    if (tally === undefined) throw new Error(`quota ${quota.id} has no tally`);
    return tally;
  }
}

/** A probe first, then what was kept, then by load, then who rested longest. */
function goesBefore(a: Choice, b: Choice): boolean {
  if (a.isProbe !== b.isProbe) return a.isProbe;
  if (a.isKept !== b.isKept) return a.isKept;
  const refused = Number(isRefused(a)) - Number(isRefused(b));
  if (refused !== 0) return refused < 0;
  const load = a.tally.load - b.tally.load;
  if (load !== 0) return load < 0;
  return a.opening.key.lastUsedAt < b.opening.key.lastUsedAt;
}

function isRefused({ opening }: Choice): boolean {
  return opening.key.standing.is === 'refused';
}
