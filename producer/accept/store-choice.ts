/**
 * Which store a new task's row will be in; the tasks of one submission share one. Sizes come for nothing with
 * every answer of a database. An isolate that had no answer for a while asks beside its requests, so
 * accepting a task waits for no database, but for an isolate's very first.
 */

import type { Context } from 'hono';
import { logWarning } from '../../shared/log.ts';
import { type StoreFill, chooseStore as storeWithRoom } from '../../shared/store/fill.ts';
import { askSize } from '../../shared/store/store-size.ts';
import type { Store } from '../../shared/store/stores.ts';
import { withinMs } from '../../shared/time-limit.ts';
import { beside } from '../answer/beside.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { AppEnv } from '../app.ts';
import type { Runtime } from '../runtime.ts';

/** A size is asked for when it is older, sooner when the store is nearly full or much was accepted since. */
const SIZE_HOLDS_MS = 15_000;
const NEARLY_FULL_HOLDS_MS = 2_000;
const NEARLY_FULL = 0.9;
const MUCH = 0.005;

/** A store that did not answer is asked this often whether it is back. */
const AWAY_HOLDS_MS = 5_000;

/** The first task of an isolate waits so long for a store; who does not answer by then counts as away. */
const PATIENCE_MS = 1_000;

/** Another request of this isolate asks: its answer is looked for this often, on a timer of one's own. */
const LOOK_MS = 10;

/** Measured: what a row takes beside its bodies, pages of its own for them included; and a result as large as its request. */
const ROW_BYTES = 3_000;
const BODIES = 2;

/** What is older is forgotten, so that an isolate that refused finds out whether it still must. */
const BACKLOG_HOLDS_MS = 30_000;

/** Retention makes room each minute. */
const RETRY_AFTER_SECONDS = 60;

export const STORAGE_FULL: Refusal = {
  code: 'storage-full',
  details: {
    detail:
      'No store has room for another task; what was accepted goes on. Room comes as bodies and rows grow old ' +
      '(BODY_RETENTION_DAYS, RETENTION_DAYS), or with another store.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  },
};

/** @returns the number of the store, or undefined when none has room */
export function chooseStore(c: Context<AppEnv>): number | undefined | Promise<number | undefined> {
  const { runtime } = c.env;
  const { stores, storeLimitBytes } = runtime.config;
  if (stores.all.some(isUnknown)) return chooseWhenKnown(c);
  const now = Date.now();
  if (stores.all.some((store) => isDue(store, storeLimitBytes, now))) beside(c, askDueStores(runtime));
  return choose(c, now);
}

async function chooseWhenKnown(c: Context<AppEnv>): Promise<number | undefined> {
  const { runtime } = c.env;
  await Promise.all([askDueStores(runtime), ...runtime.config.stores.all.map(awaitFirstAnswer)]);
  return choose(c, Date.now());
}

function choose(c: Context<AppEnv>, now: number): number | undefined {
  const { runtime } = c.env;
  const { storeLimitBytes } = runtime.config;
  const number = storeWithRoom(fillsOf(runtime), storeLimitBytes, reservedBytes(runtime, now), now, runtime.lane);
  const gauge = number === undefined ? undefined : runtime.config.stores.find(number)?.gauge;
  if (gauge !== undefined) gauge.reservedBytes += BODIES * Number(c.get('headers').get('content-length') ?? 0);
  return number;
}

/** Asks those that have not answered for a while. Never fails and never takes long. */
export async function askDueStores({ config: { stores, storeLimitBytes } }: Runtime): Promise<void> {
  const now = Date.now();
  await Promise.all(stores.all.filter((store) => isDue(store, storeLimitBytes, now)).map(ask));
}

export function fillsOf({ config: { stores, drainingStores } }: Runtime): StoreFill[] {
  return stores.all.map(({ number, gauge }) => ({
    number,
    bytes: gauge.sizeBytes === undefined ? undefined : gauge.sizeBytes + gauge.reservedBytes,
    isAway: gauge.isAway,
    isDraining: drainingStores.has(number),
  }));
}

function isDue({ gauge }: Store, limitBytes: number, now: number): boolean {
  const askedMs = now - gauge.askedAt;
  if (gauge.isAway) return askedMs >= AWAY_HOLDS_MS;
  if (askedMs < NEARLY_FULL_HOLDS_MS && gauge.reservedBytes < limitBytes * MUCH) return false;
  const isNearlyFull = (gauge.sizeBytes ?? 0) >= limitBytes * NEARLY_FULL;
  return (
    now - gauge.answeredAt >= (isNearlyFull ? NEARLY_FULL_HOLDS_MS : SIZE_HOLDS_MS) ||
    gauge.reservedBytes >= limitBytes * MUCH
  );
}

async function ask({ db, gauge, number }: Store): Promise<void> {
  gauge.askedAt = Date.now();
  try {
    await withinMs(askSize(db), PATIENCE_MS, 'the store');
  } catch (error) {
    gauge.noteFailure(error, Date.now());
    logWarning('store.away', { store: number, cause: String(error) });
  }
}

async function awaitFirstAnswer(store: Store): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (isUnknown(store) && Date.now() < until) await scheduler.wait(LOOK_MS);
}

function isUnknown({ gauge }: Store): boolean {
  return gauge.answeredAt === 0 && gauge.failedAt === 0;
}

/** The rows of tasks that wait in the queues, as far as the queues have told this isolate of late. */
function reservedBytes({ shardNews }: Runtime, now: number): number {
  let sum = 0;
  for (const news of shardNews) {
    if (news === undefined || now - news.at >= BACKLOG_HOLDS_MS) continue;
    const tasks = Number.isFinite(news.backlog) ? news.backlog : 0;
    sum += tasks * ROW_BYTES + BODIES * (news.bytes ?? 0);
  }
  return sum;
}
