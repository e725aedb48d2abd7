import { describe, expect, it } from 'vitest';
import type { Backlog } from '../../../producer/schema/statistics.ts';
import {
  adviseOnKeys,
  adviseOnServers,
  adviseOnWaiting,
  linesForServers,
  loadsOf,
} from '../../../producer/statistics/advice.ts';
import type { ServerView } from '../../../shared/registry/rpc.ts';
import { countAttempt, emptyTally } from '../../../shared/statistics/tally.ts';

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

  it('says how many servers a load needs, by the calls that were under way', () => {
    const load = { service: 'ocr', callsAtOnce: 40, concurrency: 4, servers: 8 };
    expect(adviseOnServers([load]).map(({ text }) => text)).toEqual(['Service ocr: 13 servers would do; there are 8.']);
    expect(adviseOnServers([{ ...load, servers: 13 }])).toEqual([]);
  });

  it('knows the calls under way from all that were made, failed ones too, and not from the usual one', () => {
    const offer = (healthy: boolean) => ({ name: 'ocr', healthy }) as ServerView['services'][number];
    const server = { state: 'healthy' as const, maxConcurrency: 4, services: [offer(true)] };
    const servers = [
      server,
      server,
      { ...server, state: 'draining' as const },
      { ...server, services: [offer(false)] },
    ];
    const tally = emptyTally('service', 'ocr', 7);
    // Nine in ten take 100 ms, and the tenth a minute: 43,200 seconds in all, over an hour.
    for (let call = 0; call < 7_200; call++) countAttempt(tally, call % 10 === 0 ? 60_000 : 100, true);
    const [load, ...others] = loadsOf(servers, [tally, emptyTally('service', 'gone', 7)]);
    expect(others).toEqual([]);
    expect(load).toEqual({ service: 'ocr', callsAtOnce: (720 * 60 + 6_480 * 0.1) / 3600, servers: 2, concurrency: 4 });
    expect(adviseOnServers(load === undefined ? [] : [load]).map(({ text }) => text)).toEqual([
      'Service ocr: 4 servers would do; there are 2.',
    ]);
  });

  it('says of services whose tasks wait what autoscalers are told', () => {
    const demand = { inFlight: 8, capacity: 8, waiting: 160, waitingForPlace: 160, arrivalsPerSecond: 3 };
    const ocr = { ...demand, service: 'ocr', available: 8, meanLatencyMs: 3_000, estimatedWaitSeconds: 60 };
    expect(
      adviseOnWaiting([
        { ...ocr, advisedServers: 12 },
        { ...ocr, advisedServers: 8 },
        { ...ocr, service: 'tts', available: 0, advisedServers: 1 },
      ]).map(({ text }) => text),
    ).toEqual(['Service ocr: 12 servers would do; there are 8.', 'Service tts: 1 server would do; there are 0.']);
  });

  it('asks for the demand of the longest lines for servers, where more of them would help', () => {
    const of = (service: string, tasks: number, inputs: Partial<Backlog['lines'][number]> = {}) =>
      lineOf({ line: `service:${service}`, pool: undefined, service, tasks, ...inputs });
    const lines = [
      of('short', 10),
      of('long', 2_000, { perSecond: 1, emptyAt: new Date(NOON + 2_000_000).toISOString() }),
      of('soon', 50, { perSecond: 10, emptyAt: new Date(NOON + 5_000).toISOString() }),
      of('paused', 900, { reasons: { paused: 900 } }),
      of('refused', 900, { refused: true }),
      lineOf({}),
    ];
    expect(linesForServers(lines, NOON)).toEqual(['long', 'short']);
  });
});
