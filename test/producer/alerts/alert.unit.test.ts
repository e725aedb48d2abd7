import { describe, expect, it } from 'vitest';
import { type Alert, MAX_ALERTS, stepAlerts } from '../../../producer/alerts/alert.ts';
import type { Measure } from '../../../producer/alerts/measure.ts';
import { NO_SETTINGS, withSilence } from '../../../producer/alerts/settings.ts';
import type { AlertKind } from '../../../producer/schema/alert-kinds.ts';

const MINUTE = 60_000;
const START = 1_800_000_000_000;

const rate = (value: number): Measure => ({
  kind: 'failure-rate',
  target: 'ocr',
  value,
  summary: `${value}%`,
  remedy: 'Mend it.',
});

/** A value a minute; what was told, as `minute:type`. */
function told(values: readonly (number | 'unknown' | 'gone')[], settings = NO_SETTINGS): string[] {
  let alerts: readonly Alert[] = [];
  return values.flatMap((value, minute) => {
    const measures = typeof value === 'number' ? [rate(value)] : [];
    const unknown = new Set<AlertKind>(value === 'unknown' ? ['failure-rate'] : []);
    const step = stepAlerts(alerts, { measures, unknown }, settings, START + minute * MINUTE);
    alerts = step.alerts;
    return step.news.map(({ type }) => `${minute}:${type}`);
  });
}

describe('an alert', () => {
  it('fires once something has been wrong for two minutes, and ends once it has been right for five', () => {
    expect(told([50, 50, 50, 50, 0, 0, 0, 0, 0, 0, 0])).toEqual(['2:alert.firing', '9:alert.resolved']);
  });

  it('is not raised by a moment, nor ended by one', () => {
    expect(told([50, 0, 50, 0, 50])).toEqual([]);
    expect(told([50, 50, 50, 0, 0, 50, 0, 0, 50])).toEqual(['2:alert.firing']);
  });

  it('that swings around its threshold is one alert', () => {
    const swinging = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? 21 : 19));
    expect(told(swinging)).toEqual(['2:alert.firing']);
  });

  it('is neither raised nor ended while nobody knows', () => {
    expect(told(['unknown', 'unknown', 'unknown', 'unknown'])).toEqual([]);
    expect(told([50, 50, 50, ...Array.from({ length: 20 }, () => 'unknown' as const)])).toEqual(['2:alert.firing']);
  });

  it('ends when what it is about is gone', () => {
    expect(told([50, 50, 50, 'gone', 'gone', 'gone', 'gone', 'gone', 'gone'])).toEqual([
      '2:alert.firing',
      '8:alert.resolved',
    ]);
  });

  it('that is silenced is told when the silence ends, if it still fires, and not resolved if nobody was told', () => {
    const quiet = withSilence(NO_SETTINGS, 'failure-rate/ocr', START + 5 * MINUTE, START) ?? NO_SETTINGS;
    expect(told([50, 50, 50, 50, 50, 50, 50], quiet)).toEqual(['5:alert.firing']);
    const all = withSilence(NO_SETTINGS, '*', START + 60 * MINUTE, START) ?? NO_SETTINGS;
    expect(told([50, 50, 50, 0, 0, 0, 0, 0, 0, 0, 0], all)).toEqual([]);
  });

  it('has the threshold that is set, and none when its kind is off', () => {
    expect(told([50, 50, 50], { ...NO_SETTINGS, thresholds: { 'failure-rate': 60 } })).toEqual([]);
    expect(told([50, 50, 50], { ...NO_SETTINGS, off: ['failure-rate'] })).toEqual([]);
    expect(told([50], { ...NO_SETTINGS, raiseAfterMinutes: 0 })).toEqual(['0:alert.firing']);
  });

  it('of a kind that is switched off ends, for whoever was told that it fires', () => {
    const measured = { measures: [rate(50)], unknown: new Set<AlertKind>() };
    const atOnce = { ...NO_SETTINGS, raiseAfterMinutes: 0 };
    const { alerts } = stepAlerts([], measured, atOnce, START);
    const off = stepAlerts(alerts, measured, { ...atOnce, off: ['failure-rate'] }, START + MINUTE);
    expect([off.alerts, off.news.map(({ type }) => type)]).toEqual([[], ['alert.resolved']]);
  });

  it('is told once, however many there are: of more than are kept nobody is told each minute', () => {
    const measures = Array.from({ length: 300 }, (_, at) => ({ ...rate(50), target: `service-${at}` }));
    const measured = { measures, unknown: new Set<AlertKind>() };
    const atOnce = { ...NO_SETTINGS, raiseAfterMinutes: 0 };
    const first = stepAlerts([], measured, atOnce, START);
    expect([first.alerts.length, first.news.length]).toEqual([MAX_ALERTS, MAX_ALERTS]);
    const second = stepAlerts(first.alerts, measured, atOnce, START + MINUTE);
    expect(second.news).toEqual([]);
  });
});
