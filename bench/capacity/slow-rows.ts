/** Limits whose calls run longer than their period, told and not, on one key and on eight: shown, and nothing is asked of them. */
import type { Limits } from './provider.ts';
import { at, fixed, type Row } from './row.ts';

/** Tasks for so long at the limit's own pace. */
const SECONDS = 100;

interface SlowCalls {
  readonly name: string;
  readonly limits: Limits;
  /** Calls a second of one key. */
  readonly pace: number;
  readonly callSeconds: number;
}

const within = (kind: 'fixed' | 'sliding', calls: number, seconds: number, callSeconds: number): SlowCalls => ({
  name: `${kind} ${calls} / ${seconds} s, ${callSeconds} s`,
  limits: fixed(calls, seconds, { kind }),
  pace: calls / seconds,
  callSeconds,
});

const bucket = (perSecond: number, burst: number, callSeconds: number): SlowCalls => ({
  name: `bucket ${perSecond}/s burst ${burst}, ${callSeconds} s`,
  limits: { kind: 'bucket', perSecond, burst },
  pace: perSecond,
  callSeconds,
});

const atOnce = (limit: number, callSeconds: number): SlowCalls => ({
  name: `${limit} at a time, ${callSeconds} s`,
  limits: { kind: 'at-once', limit },
  pace: limit / callSeconds,
  callSeconds,
});

const KINDS: readonly SlowCalls[] = [
  within('fixed', 2, 1, 1),
  within('fixed', 2, 1, 3),
  within('fixed', 5, 1, 1),
  within('fixed', 5, 1, 3),
  within('fixed', 10, 2, 2),
  within('fixed', 10, 2, 5),
  within('fixed', 20, 1, 3),
  within('fixed', 30, 2, 2),
  within('fixed', 30, 2, 3),
  within('fixed', 20, 5, 3),
  within('fixed', 20, 5, 5),
  within('sliding', 5, 1, 3),
  within('sliding', 10, 2, 3),
  within('sliding', 30, 2, 2),
  bucket(2, 10, 3),
  bucket(5, 5, 3),
  atOnce(3, 3),
  atOnce(5, 1),
  atOnce(20, 5),
];

const rowOf = ({ name, limits, pace, callSeconds }: SlowCalls, tells: boolean, keys: number): Row => ({
  name: `${name}, ${tells ? 'told' : 'silent'}, ${keys === 1 ? 'a key' : `${keys} keys`}`,
  scenario: {
    limits: { ...limits, tells },
    keys: [keys],
    latencyMs: callSeconds * 1_000,
    tasks: at(Math.round(SECONDS * pace * keys)),
  },
  idealSeconds: SECONDS,
  maxLimitedShare: 1,
});

export const SLOW_ROWS: readonly Row[] = [true, false].flatMap((tells) =>
  KINDS.flatMap((kind) => [1, 8].map((keys) => rowOf(kind, tells, keys))),
);
