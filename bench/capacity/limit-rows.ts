/** Kinds of limits, told and not, on keys that are equals. */
import type { Limits } from './provider.ts';
import { at, fixed, type Row, TOLD, UNTOLD } from './row.ts';

interface LimitRow {
  readonly limits: Limits;
  readonly keys: number;
  readonly tasks: number;
  readonly latencyMs: number;
  readonly ideal: (tasks: number) => number;
  readonly share: number;
}

function limitRow(name: string, { limits, keys, tasks, latencyMs, ideal, share }: LimitRow): Row {
  return {
    name,
    scenario: { limits, keys: [keys], latencyMs, tasks: at(tasks) },
    idealSeconds: ideal(tasks),
    maxLimitedShare: share,
  };
}

export const LIMITS: readonly Row[] = [
  limitRow('fixed 2 / 1 s, told', {
    limits: fixed(2, 1),
    keys: 8,
    tasks: 400,
    latencyMs: 5,
    ideal: (n) => n / 16,
    share: UNTOLD,
  }),
  limitRow('fixed 5 / 5 s, told', {
    limits: fixed(5, 5),
    keys: 10,
    tasks: 400,
    latencyMs: 5,
    ideal: (n) => n / 10,
    share: UNTOLD,
  }),
  limitRow('fixed 10 / 10 s, silent', {
    limits: fixed(10, 10, { tells: false }),
    keys: 8,
    tasks: 800,
    latencyMs: 50,
    ideal: (n) => n / 8,
    share: UNTOLD,
  }),
  limitRow('fixed 60 / 60 s, told', {
    limits: fixed(60, 60),
    keys: 8,
    tasks: 4_000,
    latencyMs: 50,
    ideal: (n) => n / 8,
    share: TOLD,
  }),
  limitRow('fixed 60 / 60 s by the clock, silent', {
    limits: fixed(60, 60, { tells: false, isAligned: true }),
    keys: 8,
    tasks: 4_000,
    latencyMs: 50,
    ideal: (n) => n / 8,
    share: UNTOLD,
  }),
  limitRow('fixed 15 / 60 s, told, slow calls', {
    limits: fixed(15, 60),
    keys: 8,
    tasks: 2_000,
    latencyMs: 4_000,
    ideal: (n) => n / 2,
    share: TOLD,
  }),
  limitRow('sliding 10 / 10 s, told', {
    limits: fixed(10, 10, { kind: 'sliding' }),
    keys: 8,
    tasks: 800,
    latencyMs: 50,
    ideal: (n) => n / 8,
    share: TOLD,
  }),
  limitRow('sliding 500 / 60 s, told', {
    limits: fixed(500, 60, { kind: 'sliding' }),
    keys: 4,
    tasks: 10_000,
    latencyMs: 300,
    ideal: (n) => n / (2_000 / 60),
    share: TOLD,
  }),
  limitRow('bucket 2/s burst 10, told', {
    limits: { kind: 'bucket', perSecond: 2, burst: 10, tells: true },
    keys: 8,
    tasks: 1_600,
    latencyMs: 50,
    ideal: (n) => n / 16,
    share: TOLD,
  }),
  limitRow('bucket 2/s burst 10, silent', {
    limits: { kind: 'bucket', perSecond: 2, burst: 10 },
    keys: 8,
    tasks: 1_600,
    latencyMs: 50,
    ideal: (n) => n / 16,
    share: UNTOLD,
  }),
  limitRow('3 calls at a time of 500 ms, silent', {
    limits: { kind: 'at-once', limit: 3 },
    keys: 8,
    tasks: 800,
    latencyMs: 500,
    ideal: (n) => n / 48,
    share: UNTOLD,
  }),
  limitRow('sliding 10 / 1 s and 60 / 30 s, told', {
    limits: fixed(10, 1, { kind: 'sliding', longer: { limit: 60, windowMs: 30_000 } }),
    keys: 4,
    tasks: 1_100,
    latencyMs: 100,
    ideal: () => 124,
    share: TOLD,
  }),
  limitRow('sliding 10 / 1 s and 100 / 60 s, told', {
    limits: fixed(10, 1, { kind: 'sliding', longer: { limit: 100, windowMs: 60_000 } }),
    keys: 4,
    tasks: 1_400,
    latencyMs: 100,
    ideal: () => 185,
    share: TOLD,
  }),
  limitRow('fixed 5 / 1 s and 60 / 60 s, told', {
    limits: fixed(5, 1, { longer: { limit: 60, windowMs: 60_000 } }),
    keys: 4,
    tasks: 900,
    latencyMs: 100,
    ideal: () => 189,
    share: UNTOLD,
  }),
  limitRow('sliding 10 / 1 s and 60 / 30 s, silent', {
    limits: fixed(10, 1, { kind: 'sliding', tells: false, longer: { limit: 60, windowMs: 30_000 } }),
    keys: 4,
    tasks: 1_100,
    latencyMs: 100,
    ideal: () => 124,
    share: UNTOLD,
  }),
  limitRow('fixed 5 / 1 s and 60 / 60 s, silent', {
    limits: fixed(5, 1, { tells: false, longer: { limit: 60, windowMs: 60_000 } }),
    keys: 4,
    tasks: 900,
    latencyMs: 100,
    ideal: () => 189,
    share: UNTOLD,
  }),
  limitRow('halved at 60 s: 10 to 5 / 10 s, told', {
    limits: fixed(10, 10, { limitAt: (now) => (now < 60_000 ? 10 : 5) }),
    keys: 8,
    tasks: 960,
    latencyMs: 50,
    ideal: (n) => 60 + (n - 480) / 4,
    share: TOLD,
  }),
  limitRow('doubled at 60 s: 5 to 10 / 10 s, told', {
    limits: fixed(10, 10, { limitAt: (now) => (now < 60_000 ? 5 : 10) }),
    keys: 8,
    tasks: 960,
    latencyMs: 50,
    ideal: (n) => 60 + (n - 240) / 8,
    share: TOLD,
  }),
  limitRow('fixed 10 / 10 s, told in headers on 200', {
    limits: fixed(10, 10, { tellsLeft: true }),
    keys: 8,
    tasks: 800,
    latencyMs: 50,
    ideal: (n) => n / 8,
    share: TOLD,
  }),
  limitRow('bucket 2/s burst 10, told in headers on 200', {
    limits: { kind: 'bucket', perSecond: 2, burst: 10, tells: true, tellsLeft: true },
    keys: 8,
    tasks: 1_600,
    latencyMs: 50,
    ideal: (n) => n / 16,
    share: TOLD,
  }),
];
