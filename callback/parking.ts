/**
 * Serves the owners of lines (rule R20): wakes the tasks whose turn it is as room comes, and says how long
 * lines are. Rows are written first, then the wake-ups are sent (rule R1), so a crash in between costs a
 * grace and no task. Safe to run twice at once.
 *
 * A line is one over all stores: the lowest places go first, wherever their rows are.
 */
import { moverOf, targetOfLine } from '../shared/capacity/line.ts';
import type { LineDescription, ReleaseAnswer, ReleaseRequest } from '../shared/ledger/line.ts';
import {
  byPlace,
  describeParked,
  type ReleasedTask,
  readLineHeads,
  readLines,
  releaseParkedAmong,
  releaseParkedTasks,
} from '../shared/store/parking.ts';
import { inAllStores } from './by-store.ts';
import type { CallbackEnv, StoreEnv } from './env.ts';
import { sendWakes } from './wake.ts';

export async function releaseLine(
  env: Pick<CallbackEnv, 'stores' | 'taskQueues'>,
  request: ReleaseRequest,
  now: number,
): Promise<ReleaseAnswer> {
  const counts = await countsByStore(env, request, now);
  const answers = await inAllStores(env, async (store) => releaseIn(store, request, counts?.get(store.db), now));
  return {
    released: answers.reduce((sum, { released }) => sum + released, 0),
    left: answers.some(({ left }) => left),
  };
}

/** @param limit undefined: the request's own */
async function releaseIn(
  { db, taskQueues }: Pick<StoreEnv, 'db' | 'taskQueues'>,
  { line, limit: wanted, shard, perSecond, reason, tasks }: ReleaseRequest,
  limit: number | undefined,
  now: number,
): Promise<ReleaseAnswer> {
  if (tasks !== undefined) {
    const among = await releaseParkedAmong(db, line, tasks, now);
    await sendWakes(taskQueues, wakesOf(among.released, line), only(shard));
    return { released: among.released.length, left: among.left };
  }
  const rate = perSecond === undefined ? undefined : { perSecond, mover: moverOf(line, shard), reason };
  const { released, left } = await releaseParkedTasks(db, line, limit ?? wanted, rate, now);
  const wakes = wakesOf(released, line);
  await sendWakes(taskQueues, wakes, only(shard));
  return { released: released.length, left };
}

function only(shard: number | undefined): number[] | undefined {
  return shard === undefined ? undefined : [shard];
}

function wakesOf(released: readonly ReleasedTask[], line: string) {
  return released.map(({ id, service }) => ({ id, service, delayMs: 0, line }));
}

/** How many of the tasks whose turn it is each store has; undefined with one store, which has them all. */
async function countsByStore(
  env: Pick<CallbackEnv, 'stores'>,
  { line, limit, tasks }: ReleaseRequest,
  now: number,
): Promise<Map<D1Database, number> | undefined> {
  if (env.stores.all.length === 1 || tasks !== undefined) return undefined;
  const heads = await inAllStores(env, async ({ db }) => ({ db, ids: await readLineHeads(db, line, limit, now) }));
  const oldest = heads
    .flatMap(({ db, ids }) => ids.map((head) => ({ db, ...head })))
    .sort(byPlace)
    .slice(0, limit);
  const counts = new Map(env.stores.all.map(({ db }) => [db, 0]));
  for (const { db } of oldest) counts.set(db, (counts.get(db) ?? 0) + 1);
  return counts;
}

export async function describeLines(
  env: Pick<CallbackEnv, 'stores'>,
  lines: readonly string[],
): Promise<LineDescription[]> {
  const distinct = [...new Set(lines)];
  const described = (await inAllStores(env, ({ db }) => describeParked(db, distinct))).flat();
  return [...Map.groupBy(described, ({ line }) => line)].map(([line, parts]) => {
    const [oldestId] = parts.flatMap(({ oldest_id }) => (oldest_id === null ? [] : [oldest_id])).sort();
    return {
      line,
      count: parts.reduce((sum, { count }) => sum + count, 0),
      ...(oldestId !== undefined && { oldestId }),
    };
  });
}

/** More services than have a line at once; the others are told of by the fallbacks of their heads. */
const MAX_LINES = 1_000;

/** The lines of services, or of flows, in which somebody stands. */
export async function readLinesOf(
  env: Pick<CallbackEnv, 'stores'>,
  kind: 'service' | 'flow',
): Promise<{ line: string; service: string }[]> {
  const lines = await inAllStores(env, ({ db }) => readLines(db, `${kind}:`, MAX_LINES));
  return [...new Set(lines.flat())].flatMap((line) => {
    const target = targetOfLine(line);
    if (target === undefined || target.kind !== kind) return [];
    return [{ line, service: target.kind === 'service' ? target.service : line }];
  });
}
