import { describe, expect, it } from 'vitest';
import { cronFault, dueRuns, nextRun } from '../../../shared/schedule/runs.ts';

const MINUTE = 60_000;

function runsFrom(cron: string, timeZone: string, after: string, count: number): string[] {
  const runs: string[] = [];
  let at = Date.parse(after);
  for (let run = 0; run < count; run++) {
    at = nextRun(cron, timeZone, at) ?? Number.NaN;
    runs.push(new Date(at).toISOString().slice(5, 16));
  }
  return runs;
}

describe('a daily run within the hour that the clocks change', () => {
  // The days of change in 2026: Berlin 29 March and 25 October, New York 8 March and 1 November, Lord Howe 5 April
  // and 4 October, by half an hour.
  it.each([
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', ['03-28T01:30', '03-29T01:00', '03-30T00:30']],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T00:00:00Z', ['10-24T00:30', '10-25T00:30', '10-26T01:30']],
    ['30 2 * * *', 'America/New_York', '2026-03-07T00:00:00Z', ['03-07T07:30', '03-08T07:00', '03-09T06:30']],
    ['30 1 * * *', 'America/New_York', '2026-10-31T00:00:00Z', ['10-31T05:30', '11-01T05:30', '11-02T06:30']],
    ['15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T00:00:00Z', ['10-02T15:45', '10-03T15:30', '10-04T15:15']],
    ['45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T00:00:00Z', ['04-03T14:45', '04-04T14:45', '04-05T15:15']],
  ])('%s in %s after %s runs once a day', (cron, timeZone, after, runs) => {
    expect(runsFrom(cron, timeZone, after, runs.length)).toEqual(runs);
  });
});

describe('every quarter of an hour', () => {
  it.each([
    ['Europe/Berlin', '2026-03-28T23:00:00Z'],
    ['Europe/Berlin', '2026-10-24T23:00:00Z'],
    ['America/New_York', '2026-03-08T05:00:00Z'],
    ['America/New_York', '2026-11-01T04:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T13:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T13:00:00Z'],
  ])('neither stops nor doubles in %s after %s', (timeZone, after) => {
    let at = Date.parse(after);
    for (let run = 0; run < 40; run++) {
      const next = nextRun('*/15 * * * *', timeZone, at) ?? 0;
      expect(next - at).toBe(15 * MINUTE);
      at = next;
    }
  });
});

describe('runs that are due', () => {
  const hourly = { cron: '0 * * * *', timeZone: 'UTC' };
  const noon = Date.parse('2026-05-01T12:00:00Z');
  const hours = (...ago: number[]) => ago.map((each) => noon - each * 60 * MINUTE);

  it('are the one that was planned, when nothing was missed', () => {
    expect(dueRuns({ ...hourly, catchUp: 0 }, noon, noon + 10_000)).toEqual({ runs: [noon], nextAt: hours(-1)[0] });
  });

  it('leave out, or make up for, those that were missed, as many as the schedule says', () => {
    const planned = noon - 5 * 60 * MINUTE;
    const runs = (catchUp: number) => dueRuns({ ...hourly, catchUp }, planned, noon + 10_000).runs;
    expect(runs(0)).toEqual([noon]);
    expect(runs(1)).toEqual(hours(1, 0));
    expect(runs(3)).toEqual(hours(3, 2, 1, 0));
    expect(runs(100)).toEqual(hours(5, 4, 3, 2, 1, 0));
  });

  it('end, after years of sleep, with the next one of now', () => {
    const { runs, nextAt } = dueRuns({ cron: '* * * * *', timeZone: 'UTC', catchUp: 2 }, 0, noon + 10_000);
    expect(runs.length).toBeLessThanOrEqual(4);
    expect(nextAt).toBe(noon + MINUTE);
  });
});

describe('an expression', () => {
  it.each([
    ['61 * * * *', 'UTC', 'cron'],
    ['* * * *', 'UTC', 'cron'],
    ['*/5 * * * * *', 'UTC', 'cron'],
    ['0 0 30 2 *', 'UTC', 'never runs'],
    ['0 0 * * *', 'Europe/Atlantis', 'Atlantis'],
  ])('%s in %s is refused with its reason', (cron, timeZone, reason) => {
    expect(cronFault(cron, timeZone)).toContain(reason);
  });

  it('that is good has no fault', () => {
    expect(cronFault('30 2 * * 1-5', 'Europe/Berlin')).toBeUndefined();
  });
});
