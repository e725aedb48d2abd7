/** What fairness between submitters is measured by. Each scenario has a bound that it keeps, or the command fails. */
import { AHEAD, LOW_BEHIND } from '../../shared/store/turns.ts';
import { BenchLine } from './line.ts';

export interface Measured {
  readonly name: string;
  readonly figure: string;
  readonly bound: string;
  readonly isKept: boolean;
}

const START = Date.UTC(2026, 10, 27);

/** Places in the order of starts until all of `ids` have started. */
async function startsUntil(line: BenchLine, ids: readonly string[], perSecond: number): Promise<number> {
  const waiting = new Set(ids);
  let starts = 0;
  while (waiting.size > 0) {
    for (const id of await line.release(1)) waiting.delete(id);
    starts += 1;
    line.pass(1000 / perSecond);
  }
  return starts;
}

async function ten(backlog: number, perSecond: number): Promise<Measured> {
  const line = new BenchLine(START);
  await line.park({ subject: 'large', count: backlog });
  // Half a minute on.
  for (let second = 0; second < 30; second++) {
    await line.release(perSecond);
    line.pass(1_000);
  }
  const starts = await startsUntil(line, await line.park({ subject: 'small', count: 10 }), perSecond);
  const seconds = (starts - 10) / perSecond;
  return {
    name: `ten tasks beside ${backlog.toLocaleString('en')} of another, ${perSecond} a second`,
    figure: `${seconds.toFixed(2)} s later than alone`,
    bound: '1 s',
    isKept: seconds <= 1,
  };
}

async function share(): Promise<Measured> {
  const line = new BenchLine(START);
  await line.park({ subject: 'large', count: 5_000 });
  const others = new Set<string>();
  for (const subject of ['second', 'third', 'fourth']) {
    for (const id of await line.park({ subject, count: 1_000 })) others.add(id);
  }
  let large = 0;
  for (let start = 0; start < 2_000; start++) {
    for (const id of await line.release(1)) if (!others.has(id)) large += 1;
    line.pass(100);
  }
  const part = large / 2_000;
  return {
    name: 'the share of one of four with a backlog five times as long',
    figure: `${(part * 100).toFixed(1)}%`,
    bound: '25% ± 1',
    isKept: Math.abs(part - 0.25) <= 0.01,
  };
}

async function steady(): Promise<Measured> {
  const line = new BenchLine(START);
  await line.park({ subject: 'large', count: 20_000 });
  let own = 0;
  const eager = new Set<string>();
  // Always ten waiting: it never has a backlog, and must not take all there is.
  for (let start = 0; start < 4_000; start++) {
    if (start % 10 === 0) for (const id of await line.park({ subject: 'eager', count: 10 })) eager.add(id);
    for (const id of await line.release(1)) if (eager.has(id)) own += 1;
    line.pass(100);
  }
  const part = own / 4_000;
  return {
    name: 'the share of one who always comes with ten more',
    figure: `${(part * 100).toFixed(1)}%`,
    bound: '50% ± 1',
    isKept: Math.abs(part - 0.5) <= 0.01,
  };
}

async function high(): Promise<Measured> {
  const line = new BenchLine(START);
  await line.park({ subject: 'large', count: 10_000 });
  await line.release(300);
  line.pass(30_000);
  const starts = await startsUntil(line, await line.park({ subject: 'large', count: 1, priority: 1 }), 10);
  return {
    name: "a task of priority 1 among 10,000 of its submitter's",
    figure: `start number ${starts}`,
    bound: '1',
    isKept: starts === 1,
  };
}

async function low(): Promise<Measured> {
  const line = new BenchLine(START);
  await line.park({ subject: 'large', count: 20 });
  const [task = ''] = await line.park({ subject: 'large', count: 1, priority: 3 });
  let starts = 0;
  // Others come for ever, as fast as tasks start.
  for (; starts < 10 * LOW_BEHIND; starts++) {
    await line.park({ subject: 'large', count: 1 });
    if ((await line.release(1)).includes(task)) break;
    line.pass(100);
  }
  return {
    name: 'a task of priority 3 while tasks of priority 2 keep coming',
    figure: `start number ${starts.toLocaleString('en')}`,
    bound: `${(LOW_BEHIND + 2 * AHEAD + 20).toLocaleString('en')}`,
    isKept: starts <= LOW_BEHIND + 2 * AHEAD + 20,
  };
}

async function cancelled(): Promise<Measured> {
  const line = new BenchLine(START);
  await line.park({ subject: 'other', count: 5_000 });
  await line.cancel(await line.park({ subject: 'large', count: 5_000 }));
  const starts = await startsUntil(line, await line.park({ subject: 'large', count: 10 }), 10);
  return {
    name: 'ten tasks of one who cancelled 5,000',
    figure: `start number ${starts}`,
    bound: `${2 * AHEAD}`,
    isKept: starts <= 2 * AHEAD,
  };
}

/** @param backlog of the large submitter */
export const scenarios = (backlog: number): readonly (() => Promise<Measured>)[] => [
  () => ten(backlog, 1),
  () => ten(backlog, 10),
  () => ten(backlog, 500),
  share,
  steady,
  high,
  low,
  cancelled,
];
