/**
 * One alert's life: `raising` while something has been wrong for a short time, `firing`, `clearing` while it has
 * been right for a short time, then gone. Pure. A value between the two thresholds changes nothing, so an alert
 * that swings around its threshold is one alert and not many.
 */

import { ALERT_UNITS, type AlertKind, DEFAULT_THRESHOLDS } from '../schema/alert-kinds.ts';
import type { Measure, Measured } from './measure.ts';
import { type AlertSettings, silencedUntil } from './settings.ts';

export interface Alert extends Measure {
  readonly name: string;
  readonly phase: 'raising' | 'firing' | 'clearing';
  /** Of the phase, Unix ms. */
  readonly phaseSince: number;
  /** Since when something is wrong, Unix ms. */
  readonly since: number;
  /** Somebody was told that it fires; while it is silenced, nobody is. */
  readonly isTold: boolean;
}

export type AlertNews = { readonly type: 'alert.firing' | 'alert.resolved'; readonly alert: Alert };

/** Right again means well below what was wrong. */
const CLEAR_SHARE = 0.9;
const MINUTE_MS = 60_000;

/** What is wrong with more things at a time than this is one problem that is known by then. */
export const MAX_ALERTS = 200;

function nameOf({ kind, target }: Pick<Measure, 'kind' | 'target'>): string {
  return target === '' ? kind : `${kind}/${target}`;
}

function thresholdOf({ thresholds }: Pick<AlertSettings, 'thresholds'>, kind: AlertKind): number {
  return thresholds[kind] ?? DEFAULT_THRESHOLDS[kind];
}

export function stepAlerts(
  known: readonly Alert[],
  { measures, unknown }: Measured,
  settings: AlertSettings,
  now: number,
): { readonly alerts: readonly Alert[]; readonly news: readonly AlertNews[] } {
  const before = new Map(known.map((alert) => [alert.name, alert]));
  const byName = new Map(measures.map((measure) => [nameOf(measure), measure]));
  const alerts: Alert[] = [];
  const news: AlertNews[] = [];
  for (const name of new Set([...before.keys(), ...byName.keys()])) {
    const alert = before.get(name);
    const measure = byName.get(name);
    const kind = (measure ?? alert)?.kind;
    if (kind === undefined) continue;
    if (settings.off.includes(kind)) {
      // Whoever was told that it fires would wait for its end.
      if (alert?.isTold) news.push({ type: 'alert.resolved', alert });
      continue;
    }
    // Nobody is told of what is not kept: it would be told again each round.
    if (alert === undefined && alerts.length >= MAX_ALERTS) continue;
    if (measure === undefined && alert !== undefined && unknown.has(kind)) {
      alerts.push(alert);
      continue;
    }
    const next = stepOne(name, alert, measure, settings, now);
    if (next === undefined) {
      if (alert?.isTold) news.push({ type: 'alert.resolved', alert });
      continue;
    }
    const tells = next.phase === 'firing' && !next.isTold && silencedUntil(settings, name, now) === undefined;
    const told = tells ? { ...next, isTold: true } : next;
    alerts.push(told);
    if (tells) news.push({ type: 'alert.firing', alert: told });
  }
  return { alerts, news };
}

/** @returns undefined when nothing is wrong any more, or yet */
function stepOne(
  name: string,
  alert: Alert | undefined,
  measure: Measure | undefined,
  settings: AlertSettings,
  now: number,
): Alert | undefined {
  const value = measure?.value ?? 0;
  const threshold = thresholdOf(settings, (measure ?? alert)?.kind ?? 'part-away');
  const isWrong = value >= threshold;
  const isRight = value < threshold * CLEAR_SHARE;
  if (alert === undefined) {
    if (!isWrong || measure === undefined) return undefined;
    const phase = settings.raiseAfterMinutes === 0 ? 'firing' : 'raising';
    return { ...measure, name, phase, phaseSince: now, since: now, isTold: false };
  }
  // What is right again is still shown as it was when it was wrong.
  const current: Alert = { ...alert, ...(isRight ? {} : measure) };
  const become = (phase: Alert['phase']): Alert => ({ ...current, phase, phaseSince: now });
  const forMs = now - alert.phaseSince;
  switch (alert.phase) {
    case 'raising':
      if (isRight) return undefined;
      return isWrong && forMs >= settings.raiseAfterMinutes * MINUTE_MS ? become('firing') : current;
    case 'firing':
      if (!isRight) return current;
      return settings.clearAfterMinutes === 0 ? undefined : become('clearing');
    case 'clearing':
      if (isWrong) return become('firing');
      return forMs >= settings.clearAfterMinutes * MINUTE_MS ? undefined : current;
  }
}

/** As the API shows it. */
export function alertDocument(alert: Alert, settings: AlertSettings, now: number) {
  const { name, kind, target, phase, since, value, summary, remedy } = alert;
  const until = silencedUntil(settings, name, now);
  return {
    name,
    kind,
    target,
    phase,
    since: new Date(since).toISOString(),
    value,
    threshold: thresholdOf(settings, kind),
    unit: ALERT_UNITS[kind],
    summary,
    remedy,
    ...(until !== undefined && { silencedUntil: new Date(until).toISOString() }),
  };
}
