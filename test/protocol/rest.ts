/**
 * Drives the world until nothing moves: letters are delivered when they become visible, the sweeper
 * comes on full minutes when there is something for it, the events of its agenda happen at
 * their time;
 * then everything that was promised is looked at. Invocations overlap as they would.
 */
import { isTerminal } from '../../shared/task/status.ts';
import { MINUTE_MS } from './clock.ts';
import type { House } from './house.ts';
import { type Letter, shardOf } from './post.ts';
import type { Row } from './promises.ts';

/** No schedule needs as many; one that does goes round in circles. */
const MAX_STEPS = 1_500;

/** Rounds of the sweeper at a time, where one may begin before another has ended. */
const MAX_SWEEPS = 2;

/** Shown of a schedule that failed. */
const LOG_LINES = 80;

export interface Course {
  /** How the letters that are visible at once are put into batches. */
  readonly batch?: (letters: readonly Letter[]) => Letter[][];
  /** Tasks whose rows may be gone. */
  readonly purged?: ReadonlySet<string>;
}

const together = (letters: readonly Letter[]) => [[...letters]];

export async function comeToRest(house: House, course: Course = {}): Promise<void> {
  await withLog(house, async () => {
    await house.clock.drive(() => live(house, course));
    house.promises.checkAtRest(await house.check('at rest'), course.purged ?? new Set());
    if (house.violations.length > 0) throw new Error(house.violations.join('\n'));
  });
}

/** What breaks in `work` is told with what happened before. */
export async function withLog(house: House, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}\n\nWhat happened:\n${house.log.slice(-LOG_LINES).join('\n')}`, { cause: error });
  }
}

async function live(house: House, { batch = together }: Course): Promise<void> {
  const active = new Set<Promise<unknown>>();
  const start = (work: Promise<unknown>) => {
    const ended = work.finally(() => active.delete(ended));
    active.add(ended);
  };
  let sweeping = 0;
  let sweptAt = Number.NEGATIVE_INFINITY;
  const sweepOnce = async () => {
    sweeping += 1;
    sweptAt = Date.now();
    await house.sweep();
    await house.check('after sweep');
    sweeping -= 1;
  };

  for (let step = 0; ; step++) {
    if (step > MAX_STEPS) throw new Error('the world does not come to rest');
    for (const event of house.agenda.filter(({ at }) => at <= Date.now())) {
      house.agenda.splice(house.agenda.indexOf(event), 1);
      start(event.happen());
    }
    for (const queue of ['tasks', 'tasks-1'] as const) {
      const tasks = house.consumers.serves(shardOf(queue)) ? house.ready(queue) : [];
      if (tasks.length > 0) for (const letters of batch(tasks)) start(house.deliver(letters));
    }
    const dead = house.ready('dead');
    if (dead.length > 0) start(house.deliverDead(dead));

    const changed = Promise.withResolvers<void>();
    house.post.onPut = () => changed.resolve();
    let sweepAt = Number.POSITIVE_INFINITY;
    if (sweeping === 0 || (house.overlapsSweeps && sweeping < MAX_SWEEPS)) {
      sweepAt = Math.max(nextRound(house, await house.rows()), sweptAt + MINUTE_MS);
      if (sweepAt <= Date.now()) {
        start(sweepOnce());
        continue;
      }
    }
    const nextAt = Math.min(
      sweepAt,
      ...house.post.waiting().map(({ visibleAt }) => visibleAt),
      ...house.agenda.map(({ at }) => at),
    );
    if (nextAt <= Date.now()) continue;
    if (nextAt === Number.POSITIVE_INFINITY && active.size === 0) return;
    const awake = new AbortController();
    const sleep = nextAt === Number.POSITIVE_INFINITY ? [] : [house.clock.sleep(nextAt - Date.now(), awake.signal)];
    await Promise.race([...active, ...sleep, changed.promise]);
    awake.abort();
    await Promise.allSettled(sleep);
  }
}

/** The full minute at which the sweeper has something to do; infinite when it has nothing. */
function nextRound(house: House, rows: readonly Row[]): number {
  const times = rows.flatMap((row) => {
    if (row.due_at !== null) return [row.due_at];
    // Without a letter only the net is left (rule R9), and it waits for deadline and lease.
    const stray = !isTerminal(row.status) && house.post.lost.has(row.id) && !lettersOf(house, row.id);
    return stray ? [Math.max(row.deadline_at, row.lease_until ?? 0)] : [];
  });
  return Math.max(Math.ceil(Math.min(...times) / MINUTE_MS), Math.ceil(Date.now() / MINUTE_MS)) * MINUTE_MS;
}

function lettersOf(house: House, id: string): boolean {
  return [...house.post.letters].some(({ taskId }) => taskId === id);
}
