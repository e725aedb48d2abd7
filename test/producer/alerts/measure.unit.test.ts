import { describe, expect, it } from 'vitest';
import { type Measure, measure, type Observed } from '../../../producer/alerts/measure.ts';
import { ALERT_KINDS, DEFAULT_THRESHOLDS } from '../../../producer/schema/alert-kinds.ts';
import { emptyTally, type Tally } from '../../../shared/statistics/tally.ts';
import { allWrong } from './all-wrong.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const HOUR = Math.floor(NOW / 3600_000);
const MINUTE = 60_000;

const QUIET: Observed = {
  backlog: { queues: [], lines: [], services: [], unavailableQueues: [], unavailableStores: [] },
  deadlines: [],
  near: [],
  tallies: [],
  hour: HOUR,
  keys: { views: [], areAll: true, awayShards: [] },
  servers: [],
  services: [],
  deadLetters: 0,
  stores: [],
  sweptAt: NOW - 10_000,
  watchedSince: NOW - 3600_000,
};

const measured = (observed: Partial<Observed>) => measure({ ...QUIET, ...observed }, NOW);
const of = (kind: Measure['kind'], observed: Partial<Observed>) =>
  measured(observed).measures.filter((found) => found.kind === kind);

function tally(counts: Partial<Record<'succeeded' | 'failed' | 'expired', number>>, hour = HOUR): Tally {
  const made = emptyTally('service', 'ocr', hour);
  const order = ['started', 'attempts', 'failedAttempts', 'succeeded', 'failed', 'cancelled', 'expired'];
  for (const [name, value] of Object.entries(counts)) made.counts[order.indexOf(name)] = value;
  return made;
}

const key = (over: object) => ({
  pool: 'default',
  key: '1',
  number: 1,
  fingerprint: 'f',
  state: 'ready' as const,
  inFlight: 0,
  calls: 0,
  rateLimited: 0,
  lastUsedAt: undefined,
  limits: [],
  ...over,
});

describe('what is measured', () => {
  it('is nothing of note while all is well', () => {
    expect(measured({}).measures.every(({ value }) => value === 0)).toBe(true);
    expect(measured({}).unknown.size).toBe(0);
  });

  const line = {
    line: 'pool:default',
    pool: 'default',
    tasks: 1_000,
    isCounted: true,
    oldestAt: new Date(NOW - MINUTE).toISOString(),
    reasons: {},
    services: ['ocr'],
  };
  const moving = { ...line, perSecond: 1, emptyAt: new Date(NOW + 1_000_000).toISOString() };
  const backlog = { queues: [], lines: [moving], services: [], unavailableQueues: [], unavailableStores: [] };

  it('counts tasks in line that will not start before their deadline, by the place of each', () => {
    const deadlines = [0, 60, 120].map((ahead) => ({
      line: 'pool:default',
      ahead,
      deadline_at: NOW + 90_000,
      is_last: 0 as const,
    }));
    expect(of('backlog-late', { backlog, deadlines })).toMatchObject([{ target: 'pool:default', value: 1 }]);
  });

  it('judges the end of a long line by its newest task', () => {
    const last = { line: 'pool:default', ahead: 0, deadline_at: NOW + 400_000, is_last: 1 as const };
    const [late] = of('backlog-late', { backlog, deadlines: [last] });
    expect(late).toMatchObject({ value: 600 });
    expect(late?.summary).toContain('About 600 of 1000 tasks');
    expect(of('backlog-late', { backlog, deadlines: [{ ...last, deadline_at: NOW + 2_000_000 }] })).toMatchObject([
      { value: 0 },
    ]);
  });

  it('says nothing of a line whose pace nobody knows', () => {
    expect(of('backlog-late', { backlog: { ...backlog, lines: [line] }, deadlines: [] })).toEqual([]);
  });

  it('counts tasks with less than a fifth of their time left', () => {
    const task = (leftMs: number, life_ms: number) => ({
      id: 'tsk_x',
      service: 'ocr',
      deadline_at: NOW + leftMs,
      life_ms,
    });
    const near = [task(MINUTE, 10 * MINUTE), task(3 * MINUTE, 10 * MINUTE), task(MINUTE, MINUTE)];
    expect(of('tasks-expiring', { near })).toMatchObject([{ target: 'ocr', value: 1 }]);
  });

  it('takes the rate of failures from this hour, and the last one while this has few', () => {
    const [present, before] = [tally({ succeeded: 60, failed: 30, expired: 10 }), tally({ succeeded: 900 }, HOUR - 1)];
    expect(of('failure-rate', { tallies: [present, before] })).toMatchObject([{ value: 40 }]);
    expect(of('failure-rate', { tallies: [tally({ failed: 5 }), tally({ succeeded: 95 }, HOUR - 1)] })).toMatchObject([
      { value: 5 },
    ]);
    expect(of('failure-rate', { tallies: [tally({ failed: 5 })] })).toEqual([]);
  });

  it('tells keys that cool from keys that are refused, and from those that somebody switched off', () => {
    const views = [
      key({ state: 'cooling', until: NOW + MINUTE }),
      key({ state: 'disabled', why: 'refused with 401' }),
      key({ state: 'disabled', why: 'switched off' }),
    ];
    const observed = { keys: { views, areAll: true, awayShards: [] } };
    expect(of('keys-cooling', observed)).toMatchObject([{ target: 'default', value: 50 }]);
    expect(of('keys-refused', observed)).toMatchObject([{ target: 'default', value: 1 }]);
  });

  it('knows when the sweeper was last seen, and waits for a first round', () => {
    expect(of('sweep-late', { sweptAt: NOW - 7 * MINUTE })).toMatchObject([{ value: 7 }]);
    expect(of('sweep-late', { sweptAt: NOW - MINUTE })[0]?.summary).toContain('1 minute ago');
    expect(of('sweep-late', { sweptAt: undefined, watchedSince: NOW - 3 * MINUTE })).toMatchObject([{ value: 3 }]);
  });

  it('warns of stores, and of one that does not answer', () => {
    const store = { store: 0, bytes: 1, limitBytes: 2, usedPercent: 91.5, daysLeft: 3 };
    const stores = [
      { ...store, state: 'nearly-full' as const },
      { ...store, store: 1, state: 'away' as const, usedPercent: 10 },
    ];
    expect(of('store-fill', { stores })).toMatchObject([{ value: 91.5 }, { target: '1', value: 100 }]);
  });

  it('names what nobody answered for, so that its alerts neither begin nor end', () => {
    const { unknown, measures } = measured({
      keys: { views: [], areAll: false, awayShards: [3] },
      servers: undefined,
      tallies: undefined,
    });
    expect([...unknown].sort()).toEqual(['circuit-open', 'failure-rate', 'keys-cooling', 'keys-refused']);
    const away = measures.filter(({ kind, value }) => kind === 'part-away' && value === 1);
    expect(away.map(({ target }) => target)).toEqual(['registry', 'consumers', 'control database']);
  });

  it('says what helps, for every kind', () => {
    const { measures } = measure(allWrong(NOW), NOW);
    const wrong = measures.filter(({ kind, value }) => value >= DEFAULT_THRESHOLDS[kind]);
    expect([...new Set(wrong.map(({ kind }) => kind))].sort()).toEqual([...ALERT_KINDS].sort());
    for (const { remedy, summary } of measures) {
      expect(remedy.length).toBeGreaterThan(20);
      // A person clicks, or opens a page: routes are for programs.
      expect(remedy).not.toMatch(/\b(?:GET|POST|PUT|DELETE) \/|\/api\//);
      expect(summary).not.toContain('undefined');
    }
  });
});
