/** A deployment in which everything is wrong that alerts are about. */
import type { Observed } from '../../../producer/alerts/measure.ts';
import { emptyTally } from '../../../shared/statistics/tally.ts';

const MINUTE = 60_000;
const HOUR_MS = 3600_000;

export function allWrong(now: number): Observed {
  const line = {
    line: 'pool:default',
    pool: 'default',
    tasks: 1_000,
    isCounted: true,
    oldestAt: new Date(now - MINUTE).toISOString(),
    reasons: {},
    services: ['ocr'],
    perSecond: 1,
    emptyAt: new Date(now + 1_000_000).toISOString(),
  };
  const backlog = { queues: [], lines: [line], services: [], unavailableQueues: [0], unavailableStores: [] };
  const hour = Math.floor(now / HOUR_MS);
  const tally = emptyTally('service', 'ocr', hour);
  tally.counts.fill(50);
  const key = {
    pool: 'default',
    key: '1',
    number: 1,
    fingerprint: 'f',
    inFlight: 0,
    calls: 0,
    rateLimited: 0,
    lastUsedAt: undefined,
    limits: [],
  };
  const views = [
    { ...key, state: 'cooling' as const, until: now + MINUTE },
    { ...key, state: 'disabled' as const, why: 'refused with 401' },
  ];
  const circuit = { state: 'open' };
  const store = { store: 0, state: 'nearly-full' as const, bytes: 1, limitBytes: 2, usedPercent: 91.5, daysLeft: 3 };
  return {
    backlog,
    deadlines: [{ line: line.line, ahead: 0, deadline_at: now + 400_000, is_last: 1 }],
    near: [{ id: 'tsk_x', service: 'ocr', deadline_at: now + MINUTE, life_ms: 10 * MINUTE }],
    tallies: [tally],
    hour,
    keys: { views, areAll: true, awayShards: [] },
    servers: [{ url: 'https://a.example.com', services: [{ name: 'ocr', circuit }] }] as unknown as NonNullable<
      Observed['servers']
    >,
    services: [{ name: 'llm', unreachable: { why: 'the connection is refused' } }] as unknown as NonNullable<
      Observed['services']
    >,
    deadLetters: 2,
    stores: [store, { ...store, store: 1, state: 'away' }],
    sweptAt: now - 7 * MINUTE,
    watchedSince: now - HOUR_MS,
  };
}
