/**
 * What a minute's round looks at: each look by itself, bounded, and undefined when nobody answers.
 */
import { hourOf } from '../../shared/statistics/tally.ts';
import {
  countDeadLetters,
  type LineDeadline,
  readLineDeadlines,
  readNearDeadlines,
} from '../../shared/store/alerts.ts';
import { readScanPosition, SWEPT_NAME } from '../../shared/store/carrier.ts';
import { readStatistics } from '../../shared/store/statistics.ts';
import { readKeysOfShards } from '../keys/keys-of-shards.ts';
import type { Runtime } from '../runtime.ts';
import { readBacklog } from '../statistics/backlog.ts';
import { describeStores } from '../statistics/stores.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import type { Observed } from './measure.ts';

/** Longest lines first: those that will be late. */
const LINES = 10;
const NEAR_MS = 3600_000;
/** A thousand services in two hours. */
const MAX_TALLIES = 2_000;
/** With a hundred shards each is asked every nine minutes. */
const KEYS_ARE_OLD_MS = 900_000;
const HOURS = 1;

export async function observe(runtime: Runtime, watchedSince: number, now: number): Promise<Observed> {
  const { config } = runtime;
  const { stores, registry } = config;
  const hour = hourOf(now);
  const [backlog, near, tallies, keys, servers, services, deadLetters, fills, swept] = await Promise.all([
    look('backlog', () => readBacklog(config.queues, stores.all, now)),
    look('database', async () =>
      (await Promise.all(stores.all.map(({ db }) => readNearDeadlines(db, now, NEAR_MS)))).flat(),
    ),
    look('database', () => readStatistics(stores.control, 'service', hour - HOURS, undefined, MAX_TALLIES)),
    readKeys(runtime, now),
    look('registry', () => registry.listServers({ subject: '', isAdmin: true })),
    look('registry', () => registry.listServices()),
    look('database', () => countDeadLetters(stores.control, hour - HOURS)),
    look('database', () => describeStores(runtime, now)),
    look('database', () => readScanPosition(stores.control, SWEPT_NAME)),
  ]);
  return {
    backlog,
    deadlines:
      backlog &&
      (await readDeadlines(
        runtime,
        backlog.lines.slice(0, LINES).map(({ line }) => line),
      )),
    near,
    tallies,
    hour,
    keys,
    servers,
    services,
    deadLetters,
    stores: fills,
    // Unreadable is not late: `part-away` says that the database is away.
    sweptAt: swept === undefined ? now : swept === '' ? undefined : Number(swept),
    watchedSince,
  };
}

/** Over several stores, as many stand before a task as in its own store times their number. */
async function readDeadlines(
  { config: { stores } }: Runtime,
  lines: readonly string[],
): Promise<readonly LineDeadline[] | undefined> {
  if (lines.length === 0) return [];
  const parts = await look('database', () => Promise.all(stores.all.map(({ db }) => readLineDeadlines(db, lines))));
  return parts?.flat().map((row) => ({ ...row, ahead: row.ahead * stores.all.length }));
}

/** With many shards they take turns; one that has not said of late how its keys stand may have any. */
async function readKeys(runtime: Runtime, now: number): Promise<Observed['keys']> {
  const shards = await readKeysOfShards(runtime, now);
  const late = shards.filter(({ at, isAway }) => isAway || at === undefined || now - at > KEYS_ARE_OLD_MS);
  return {
    views: shards.flatMap(({ keys = [] }) => keys),
    areAll: late.length === 0,
    awayShards: shards.filter(({ isAway }) => isAway).map(({ shard }) => shard),
  };
}

async function look<Value>(what: string, ask: () => Promise<Value>): Promise<Value | undefined> {
  const answer = await callUpstream(what, ask);
  return answer === UNAVAILABLE ? undefined : answer;
}
