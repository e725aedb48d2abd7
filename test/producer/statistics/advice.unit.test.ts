import { describe, expect, it } from 'vitest';
import type { Backlog } from '../../../producer/schema/statistics.ts';
import { adviseOnKeys, adviseOnServers } from '../../../producer/statistics/advice.ts';

const NOON = Date.parse('2026-03-01T12:00:00Z');

function lineOf(inputs: Partial<Backlog['lines'][number]>): Backlog['lines'][number] {
  const oldestAt = new Date(NOON - 60_000).toISOString();
  return {
    line: 'pool:openai',
    pool: 'openai',
    tasks: 3_600,
    isCounted: true,
    oldestAt,
    reasons: {},
    services: [],
    ...inputs,
  };
}

describe('advice', () => {
  it('says how much sooner a backlog ends with two more keys', () => {
    const emptyAt = new Date(NOON + 3600_000).toISOString();
    const [advice] = adviseOnKeys([lineOf({ perSecond: 1, emptyAt })], new Map([['openai', 2]]), NOON);
    expect(advice?.text).toBe('With 2 more keys in pool openai the backlog ends at 12:30 instead of 13:00 UTC.');
  });

  it('names the day where a backlog does not end today', () => {
    const emptyAt = new Date(NOON + 20 * 3600_000).toISOString();
    const [advice] = adviseOnKeys([lineOf({ tasks: 72_000, perSecond: 1, emptyAt })], new Map([['openai', 2]]), NOON);
    expect(advice?.text).toContain('ends at 22:00 instead of 2026-03-02 08:00 UTC');
  });

  it('wants no keys for tasks that keys refused', () => {
    const emptyAt = new Date(NOON + 3600_000).toISOString();
    const line = lineOf({ line: 'refused:openai', refused: true, perSecond: 1, emptyAt });
    expect(adviseOnKeys([line], new Map([['openai', 2]]), NOON)).toEqual([]);
  });

  it('is silent where a backlog ends within a minute, or nobody knows the pace', () => {
    const emptyAt = new Date(NOON + 30_000).toISOString();
    const lines = [lineOf({ tasks: 30, perSecond: 1, emptyAt }), lineOf({ tasks: 30 })];
    expect(adviseOnKeys(lines, new Map([['openai', 2]]), NOON)).toEqual([]);
  });

  it('says how many servers a load needs, by what calls take', () => {
    const load = { service: 'ocr', perSecond: 20, callMs: 2_000, concurrency: 4, servers: 8 };
    expect(adviseOnServers([load]).map(({ text }) => text)).toEqual(['Service ocr: 13 servers would do; there are 8.']);
    expect(adviseOnServers([{ ...load, servers: 13 }])).toEqual([]);
  });
});
