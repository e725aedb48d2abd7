import { describe, expect, it } from 'vitest';
import { adviseOnKeys, adviseOnServers } from '../../../producer/statistics/advice.ts';
import { mergeLines } from '../../../producer/statistics/backlog.ts';

const NOON = Date.parse('2026-03-01T12:00:00Z');

describe('advice', () => {
  it('says how much sooner a backlog ends with two more keys', () => {
    const emptyAt = new Date(NOON + 3600_000).toISOString();
    const line = { line: 'pool:openai', pool: 'openai', tasks: 3_600, perSecond: 1, oldestAt: emptyAt, emptyAt };
    const [advice] = adviseOnKeys([line], new Map([['openai', 2]]), NOON);
    expect(advice?.text).toBe('With 2 more keys in pool openai the backlog ends at 12:30 instead of 13:00 UTC.');
  });

  it('is silent where a backlog ends within a minute, or nobody knows the pace', () => {
    const emptyAt = new Date(NOON + 30_000).toISOString();
    const line = { line: 'pool:a', pool: 'a', tasks: 30, oldestAt: emptyAt };
    expect(adviseOnKeys([{ ...line, perSecond: 1, emptyAt }, line], new Map([['a', 2]]), NOON)).toEqual([]);
  });

  it('says how many servers a load needs, by what calls take', () => {
    const load = { service: 'ocr', perSecond: 20, callMs: 2_000, concurrency: 4, servers: 8 };
    expect(adviseOnServers([load]).map(({ text }) => text)).toEqual(['Service ocr: 13 servers would do; there are 8.']);
    expect(adviseOnServers([{ ...load, servers: 13 }])).toEqual([]);
  });
});

describe('a line over several stores', () => {
  it('is one line, as old as its oldest task', () => {
    const merged = mergeLines([
      { line: 'service:a', count: 2, oldestId: 'tsk_b', perSecond: undefined },
      { line: 'pool:x', count: 3, oldestId: 'tsk_c', perSecond: undefined },
      { line: 'service:a', count: 5, oldestId: 'tsk_a', perSecond: 2 },
    ]);
    expect(merged).toEqual([
      { line: 'service:a', count: 7, oldestId: 'tsk_a', perSecond: 2 },
      { line: 'pool:x', count: 3, oldestId: 'tsk_c', perSecond: undefined },
    ]);
  });
});
