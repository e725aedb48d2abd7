/** Tasks over three stores while one of them is away: all of them end, once, and the others do not wait. */
import { setTimeout as sleep } from 'node:timers/promises';
import { storeOfTask } from '../../shared/task/id.ts';
import { type Stage, startStage, untilEnded } from './stage.ts';

export interface AwayReport {
  readonly tasks: number;
  readonly byStore: readonly number[];
  /** Submitted while the store was away, by store. */
  readonly duringByStore: readonly number[];
  /** Of the stores that stayed: how many had ended before the other came back, of how many. */
  readonly endedBefore: number;
  readonly ofOthers: number;
  /** Submitted after it was back, by store. */
  readonly afterByStore: readonly number[];
  /** Tasks that the backend never saw. */
  readonly neverCalled: number;
  /** Tasks that the backend answered more than once. */
  readonly calledAgain: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly listed: number;
  readonly seconds: number;
}

const AWAY = 1;
const SHARDS = 4;
const SLOW_MACHINE_MS = 30_000;

export async function runAway(tasks: number, awaySeconds: number, timeoutMs: number): Promise<AwayReport> {
  await using stage = await startStage({ stores: 3, vars: { ACCEPT: 'queue' }, shards: SHARDS });
  const startedAt = Date.now();
  // The producer learns of it by its next question.
  const learnsWithinMs = Math.min(6_000, awaySeconds * 500);
  const third = Math.ceil(tasks / 3);
  const before = await submitSlowly(stage, third);
  await stage.away(AWAY);
  const awayUntil = Date.now() + awaySeconds * 1000;
  await sleep(learnsWithinMs);
  const during = await submitSlowly(stage, third);
  const others = [...before, ...during].filter((id) => storeOfTask(id) !== AWAY);
  await sleep(Math.max(0, awayUntil - Date.now()));
  // On a slow machine the others take longer; they have ended at last, or wait for the store that is away.
  while (!haveEnded(stage, others.length) && Date.now() < awayUntil + SLOW_MACHINE_MS) await sleep(300);
  const endedThen = stage.ended();
  await stage.away();
  await sleep(learnsWithinMs);
  const after = await submitSlowly(stage, tasks - 2 * third);
  const ids = [...before, ...during, ...after];
  await untilEnded(stage, ids, timeoutMs);
  const statuses: Record<string, number> = {};
  for (const status of stage.ended().values()) statuses[status] = (statuses[status] ?? 0) + 1;
  const report = stage.backend.log.report();
  return {
    tasks: ids.length,
    byStore: countByStore(ids),
    duringByStore: countByStore(during),
    endedBefore: others.filter((id) => endedThen.has(id)).length,
    ofOthers: others.length,
    afterByStore: countByStore(after),
    neverCalled: ids.length - report.keys,
    calledAgain: Object.values(report.byKey).filter(({ successes }) => successes !== 1).length,
    statuses,
    listed: new Set(await stage.list()).size,
    seconds: (Date.now() - startedAt) / 1000,
  };
}

/** So many tasks of the stores that stayed. */
function haveEnded(stage: Stage, tasks: number): boolean {
  const others = [...stage.countEnded()].filter(([store]) => store !== AWAY);
  return others.reduce((sum, [, ended]) => sum + ended, 0) >= tasks;
}

/** In batches over several of the slots in which a store is chosen. */
async function submitSlowly(stage: Stage, tasks: number): Promise<string[]> {
  const ids: string[] = [];
  const batch = Math.max(50, Math.ceil(tasks / 40));
  while (ids.length < tasks) {
    const { ids: more, refused } = await stage.submit(Math.min(batch, tasks - ids.length), {
      service: 'quick',
      payload: { page: 1 },
    });
    if (refused.size > 0) throw new Error(`submissions were refused: ${JSON.stringify([...refused])}`);
    ids.push(...more);
    await sleep(100);
  }
  return ids;
}

function countByStore(ids: readonly string[]): number[] {
  const counts = [0, 0, 0];
  for (const id of ids) counts[storeOfTask(id)] = (counts[storeOfTask(id)] ?? 0) + 1;
  return counts;
}
