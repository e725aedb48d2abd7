/** What is known of a limit, in words for people: who says it, how many calls, in how long. Pure. */
import type { LimiterState } from './limiter-state.ts';

export interface KnownLimit {
  /** Who says it: the operator, the backend beside its answers, or the refusals that were met. */
  readonly from: 'configured' | 'told' | 'learnt';
  readonly calls: number;
  /** Absent: so many at a time. */
  readonly seconds?: number;
}

export function knownLimits({ configured: { rate, atOnce }, told, learnt, longer, top }: LimiterState): KnownLimit[] {
  return [
    ...(rate === undefined ? [] : [within('configured', rate.calls, rate.periodMs)]),
    ...(atOnce === undefined ? [] : [{ from: 'configured' as const, calls: atOnce }]),
    ...told.all.map(({ limit, periodMs }) => within('told', limit, periodMs)),
    // Until a call is let in again nobody knows how long the period is.
    ...(learnt === undefined || learnt.periodMs === Infinity ? [] : [within('learnt', learnt.calls, learnt.periodMs)]),
    ...(longer === undefined ? [] : [within('learnt', longer.calls, longer.periodMs)]),
    ...(top === undefined ? [] : [{ from: 'learnt' as const, calls: top }]),
  ];
}

function within(from: KnownLimit['from'], calls: number, periodMs: number): KnownLimit {
  return { from, calls, seconds: Math.round(periodMs / 10) / 100 };
}
