/**
 * What a job would do, before it is made: how many tasks of which service, how long it takes, what it costs. Counting
 * is bounded: it ends where a store has examined its share.
 */
import { type JobAct, PLAIN_TASKS_A_MINUTE, redrivePerSecond } from '../../shared/job/job.ts';
import { PER_MILLION } from '../../shared/price/list.ts';
import { findTasks, type TaskFilter } from '../../shared/store/find.ts';
import { isHookService } from '../../shared/webhook/hook.ts';
import type { Runtime } from '../runtime.ts';

/** Of each store; each is a statement or two that examine up to 10,000 rows. */
const MAX_WINDOWS = 60;
const WINDOW_TASKS = 10_000;

/** Rows and queue operations of a task: `npm run ops` counts them (paths of jobs). */
const COSTS: Readonly<Record<JobAct, { readonly rows: number; readonly queueOperations: number }>> = {
  cancel: { rows: 1, queueOperations: 0 },
  // The row and its place among what is due; the wake-up; then it runs like any other.
  redrive: { rows: 4, queueOperations: 3 },
  // The row, and what leads to it.
  purge: { rows: 2, queueOperations: 0 },
};

export interface Counted {
  readonly count: number;
  readonly isCounted: boolean;
  readonly byService: ReadonlyMap<string, number>;
}

interface ServiceShare {
  readonly service: string;
  readonly count: number;
  readonly perSecond?: number;
  readonly isAssumed?: boolean;
}

export async function countByService({ config }: Runtime, filter: Omit<TaskFilter, 'limit'>): Promise<Counted> {
  const byService = new Map<string, number>();
  let count = 0;
  let isCounted = true;
  for (const { db } of config.stores.all) {
    let before: string | undefined;
    for (let window = 0; ; window++) {
      if (window === MAX_WINDOWS) {
        isCounted = false;
        break;
      }
      const page = await findTasks(db, 'job', { ...filter, limit: WINDOW_TASKS, ...(before && { before }) });
      // What tells of a task's end is not meant.
      for (const { service } of page.rows.filter((row) => !isHookService(row.service))) {
        byService.set(service, (byService.get(service) ?? 0) + 1);
        count += 1;
      }
      before = page.nextBefore;
      if (before === undefined) break;
    }
  }
  return { count, isCounted, byService };
}

export async function estimateJob({ config }: Runtime, act: JobAct, counted: Counted, perSecond: number | undefined) {
  const { count, isCounted, byService } = counted;
  const serviceRates =
    act === 'redrive'
      ? await config.callback.serviceRates([...byService.keys()].filter((name) => name !== ''))
      : new Map();
  const services = [...byService].map(([service, tasks]): ServiceShare => {
    const pace = serviceRates.get(service);
    if (pace === undefined) return { service, count: tasks };
    const ofRedrive = redrivePerSecond(pace, perSecond);
    return { service, count: tasks, perSecond: ofRedrive, ...(!pace.isKnown && { isAssumed: true }) };
  });
  const seconds =
    act === 'redrive'
      ? Math.max(0, ...services.map((each) => each.count / (each.perSecond ?? 1)))
      : (count / PLAIN_TASKS_A_MINUTE) * 60;
  const { rows, queueOperations } = COSTS[act];
  const dollars =
    (count / 1_000_000) * (rows * PER_MILLION.rowsWritten + queueOperations * PER_MILLION.queueOperations);
  return { act, count, isCounted, seconds: Math.ceil(seconds), dollars: Number(dollars.toFixed(6)), services };
}
