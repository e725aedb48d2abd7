/** One limit for all keys of a pool, counted by account or address, and said in `KEY_GROUPS` or not: shown, and nothing is asked of them. */
import type { Limits } from './provider.ts';
import { at, fixed, type Row } from './row.ts';

/** Tasks for so long at the limit's own pace. */
const SECONDS = 240;
const KEYS = 8;

interface SharedLimit {
  readonly name: string;
  readonly limits: Limits;
  /** Calls a second. */
  readonly pace: number;
  readonly latencyMs: number;
}

const within = (kind: 'fixed' | 'sliding', calls: number, seconds: number, latencyMs: number): SharedLimit => ({
  name: `${kind} ${calls} / ${seconds} s`,
  limits: fixed(calls, seconds, { kind }),
  pace: calls / seconds,
  latencyMs,
});

const KINDS: readonly SharedLimit[] = [
  within('fixed', 10, 1, 50),
  within('fixed', 40, 10, 50),
  within('fixed', 100, 10, 50),
  within('sliding', 100, 10, 50),
  within('fixed', 600, 60, 300),
  { name: 'bucket 10/s burst 20', limits: { kind: 'bucket', perSecond: 10, burst: 20 }, pace: 10, latencyMs: 50 },
  { name: '12 at a time of 500 ms', limits: { kind: 'at-once', limit: 12 }, pace: 24, latencyMs: 500 },
];

const SAYINGS = [
  { shared: 'unstated', tells: true },
  { shared: 'unstated', tells: false },
  { shared: 'stated', tells: true },
  { shared: 'stated', tells: false },
] as const;

export const SHARED_ROWS: readonly Row[] = SAYINGS.flatMap(({ shared, tells }) =>
  KINDS.map(({ name, limits, pace, latencyMs }) => ({
    name: `${name}, ${shared}, ${tells ? 'told' : 'silent'}`,
    scenario: { limits: { ...limits, tells }, keys: [KEYS], shared, latencyMs, tasks: at(SECONDS * pace) },
    idealSeconds: SECONDS,
    maxLimitedShare: 1,
  })),
);
