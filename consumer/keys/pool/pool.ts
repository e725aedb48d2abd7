/**
 * The state of one pool of keys, as plain data that one owner (the Durable Object) holds and the
 * functions of this room change in place. It knows keys by number and fingerprint and has no place
 * for a value. All times are Unix milliseconds, handed in.
 *
 * A key has a standing of its own (enabled, refused, switched off) and draws on a quota. Keys that
 * share a quota cool together; a key without a group has a quota to itself.
 */
import type { StartLog } from '../../../shared/pace/start-log.ts';

export interface RosterEntry {
  readonly number: number;
  readonly fingerprint: string;
  /** Keys of the same group share a quota. */
  readonly group?: string | undefined;
}

/** What the operator says the keys of a pool may do; the strictest of the services that use it. */
export interface ConfiguredLimits {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Calls in flight per key. */
  readonly concurrency?: number | undefined;
}

export interface Refusal {
  readonly task: string;
  /** Start of the call. */
  readonly at: number;
  readonly httpStatus: number;
}

export type Standing =
  | { readonly is: 'enabled' }
  /** The backend refused it. One call at a time, at growing intervals, tries whether it still does. */
  | {
      readonly is: 'refused';
      readonly since: number;
      readonly httpStatus: number;
      readonly probes: number;
      readonly probeAt: number;
    }
  /** By a person, who alone can switch it on again. */
  | { readonly is: 'switched-off'; readonly since: number };

export interface Key {
  readonly number: number;
  readonly fingerprint: string;
  readonly quotaId: string;
  standing: Standing;
  /** The task that probes a refused key, while it does. */
  prober: string | undefined;
  /** Whom it was refused for; kept for an hour, also after it worked again. */
  refusals: readonly Refusal[];
  /** Start of the latest call that worked. */
  workedAt: number;
  inFlight: number;
  /** AIMD: grows with calls that work, halves on a rate limit. */
  concurrency: number;
  /** Until the first rate limit concurrency doubles, afterwards it grows by one a round. */
  hasHitLimit: boolean;
  calls: number;
  rateLimited: number;
  lastUsedAt: number;
}

export interface Cooling {
  readonly until: number;
  readonly since: number;
  readonly why: 'rate-limited' | 'quota-exhausted';
}

export interface Quota {
  readonly id: string;
  readonly starts: StartLog;
  lastStartAt: number;
  /** Calls, fading with a half-life of five minutes: who has the fewest goes first. */
  recent: { readonly calls: number; readonly at: number };
  inFlight: number;
  cooling: Cooling | undefined;
  /** Coolings in a row without a call that worked; makes the default cooldown grow. */
  strikes: number;
  /** Calls a minute that this quota bore when it was last limited, below what the others bear. */
  learnt: { readonly perMinute: number; readonly at: number } | undefined;
  /** As the backend reports them. */
  requests: ReportedAllowance | undefined;
  tokens: ReportedAllowance | undefined;
  /** Moving average of what a call takes; 0: not known. */
  tokensPerCall: number;
  /** Starts that are kept for tasks that wait. */
  readonly promised: StartLog;
}

export interface ReportedAllowance {
  readonly limit: number;
  readonly remaining: number;
  readonly resetAt: number;
  readonly windowMs: number;
}

/** Calls that one batch took together. */
export interface Block {
  readonly leasedAt: number;
  /** After this a crashed consumer's calls are taken as ended. */
  readonly expiresAt: number;
  /** Fingerprint by task. */
  readonly open: Map<string, string>;
}

export interface Trial {
  readonly quotaId: string;
  readonly windowMs: number;
  /** Calls that were let in within it. */
  readonly borne: number;
  /** Calls that try it. */
  readonly calls: number;
  readonly from: number;
  readonly until: number;
}

export interface Pool {
  roster: readonly RosterEntry[];
  /** By fingerprint; keys that left the roster stay known. */
  readonly keys: Map<string, Key>;
  readonly quotas: Map<string, Quota>;
  readonly blocks: Map<string, Block>;
  configured: ConfiguredLimits;
  /** Places that are kept for tasks on their way from other shards, soonest first. */
  expected: readonly { readonly quotaId: string; readonly at: number }[];
  /** When tasks come back whose promises have become void. */
  readonly displaced: StartLog;
  /** Moving average of how long a call takes. */
  callMs: number;
  /** What `proven` is counted over: a minute, unless a shorter window was found. */
  windowMs: number;
  /** A shorter window that is being tried by one quota. */
  trial: Trial | undefined;
  /** Calls in a window that some key has been seen to bear; where no limit is known, no key does more. */
  proven: number;
  /** Except for one, the scout, which goes this far ahead. */
  headroom: number;
  scout: string | undefined;
  /** When a scout was last limited; 0: never. */
  limitedAt: number;
  /** The scout that was. */
  limitedBy: string | undefined;
  /** How often in a row that was at the same height. */
  stalls: number;
  /** After that there is none until then. */
  scoutAfter: number;
  /** Pause between two calls on a quota, once bursts were refused; 0: none. */
  gapMs: number;
  gapSetAt: number;
}

/** Before anything is known: a free plan of most providers bears this in a minute. */
const INITIAL_PER_MINUTE = 6;

/** How far the first scout goes ahead. */
const INITIAL_HEADROOM = 3;

/** Enough for the first batches; doubles from there. */
const INITIAL_CONCURRENCY = 32;

export function emptyPool(): Pool {
  return {
    roster: [],
    keys: new Map(),
    quotas: new Map(),
    blocks: new Map(),
    configured: {},
    expected: [],
    displaced: [],
    callMs: 1_000,
    windowMs: 60_000,
    trial: undefined,
    proven: INITIAL_PER_MINUTE,
    headroom: INITIAL_HEADROOM,
    scout: undefined,
    limitedAt: 0,
    limitedBy: undefined,
    stalls: 0,
    scoutAfter: 0,
    gapMs: 0,
    gapSetAt: 0,
  };
}

export function newKey({ number, fingerprint, group }: RosterEntry): Key {
  return {
    number,
    fingerprint,
    quotaId: group ?? fingerprint,
    standing: { is: 'enabled' },
    prober: undefined,
    refusals: [],
    workedAt: 0,
    inFlight: 0,
    concurrency: INITIAL_CONCURRENCY,
    hasHitLimit: false,
    calls: 0,
    rateLimited: 0,
    lastUsedAt: 0,
  };
}

export function newQuota(id: string): Quota {
  return {
    id,
    starts: [],
    lastStartAt: 0,
    recent: { calls: 0, at: 0 },
    inFlight: 0,
    cooling: undefined,
    strikes: 0,
    learnt: undefined,
    requests: undefined,
    tokens: undefined,
    tokensPerCall: 0,
    promised: [],
  };
}

/**
 * Takes the keys that the consumer has now. A key whose value was replaced has a new fingerprint and
 * so starts afresh.
 */
export function setRoster(pool: Pool, roster: readonly RosterEntry[]): void {
  pool.roster = roster;
  for (const entry of roster) {
    const known = pool.keys.get(entry.fingerprint);
    const quotaId = entry.group ?? entry.fingerprint;
    if (known === undefined) pool.keys.set(entry.fingerprint, newKey(entry));
    else if (known.number !== entry.number || known.quotaId !== quotaId) {
      pool.keys.set(entry.fingerprint, { ...known, number: entry.number, quotaId });
    }
    if (!pool.quotas.has(quotaId)) pool.quotas.set(quotaId, newQuota(quotaId));
  }
}

/** The keys of the roster with their quotas. */
export function keysOf(pool: Pool): { readonly key: Key; readonly quota: Quota }[] {
  return pool.roster.flatMap(({ fingerprint }) => {
    const key = pool.keys.get(fingerprint);
    const quota = key && pool.quotas.get(key.quotaId);
    return key === undefined || quota === undefined ? [] : [{ key, quota }];
  });
}
