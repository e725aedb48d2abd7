/**
 * The local run measured, for the simulation to be held against. Costs are taken where nothing waits: the runtime's
 * processor time of a request and of a task. What comes of them under load is then simulated, and measured.
 */
import { Outside } from '../load/outside.ts';
import { acceptSingly, releaseLine, type Sample, wholeWay } from '../measure/workload.ts';
import { startTasklane } from '../system/tasklane.ts';
import { type Setting, simulate, simulateAccepts } from './simulation.ts';

export interface Compared {
  readonly what: string;
  readonly unit: string;
  readonly simulated: number;
  /** Lowest, median, highest. */
  readonly measured: readonly [number, number, number];
}

const ROUNDS = 3;
const WARM_UP = 6_000;
const UNIT_TASKS = 1_000;

/** As `local/local-plan.ts` sets it: one batch a queue at a time, of a hundred, all called at once. */
const LOCAL = { shards: 2, stores: 1, batch: 100, connections: 100, invocations: 1 } as const;

/** A statement in the local D1: 0.7 ms, and 0.055 ms for each row of it (docs/benchmarks, `npm run bench:growth`). */
const STATEMENT = { base: 0.7, row: 0.055 };

/** As many as `callback/capacity/line.ts` releases without a limit, and how often. */
const RELEASE = { size: 500, everyMs: 1_000 };

const LINE_TASKS = 2_000;

export async function compareLocalRun(say: (line: string) => void): Promise<readonly Compared[]> {
  const outside = new Outside();
  const port = await outside.perform<'listen'>({ kind: 'listen' });
  const system = await startTasklane('queue', port);
  try {
    say('warming up …');
    await wholeWay(system, outside, WARM_UP, 'instant');
    const acceptMs = (await acceptSingly(system, outside, UNIT_TASKS)).processorMicros / 1_000;
    const taskMs = (await wholeWay(system, outside, UNIT_TASKS, 'instant')).processorMicros / 1_000;
    say(`processor time of the runtime: ${acceptMs.toFixed(2)} ms a request, ${taskMs.toFixed(2)} ms a task`);
    // What of a task is not its two statements.
    const threadMsACall = Math.max(0, taskMs - 2 * (STATEMENT.row + STATEMENT.base / LOCAL.batch));
    const local = (more: Pick<Setting, 'perSecond' | 'callMs'> & Partial<Setting>) =>
      simulate({ ...LOCAL, statement: STATEMENT, threadMsACall, ...more }, 3).endedPerSecond;
    const rounds = async (boundBy: 'processor' | 'clock', measure: () => Promise<Sample>) => {
      const values: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const { value, waitedShare = 0 } = await measure();
        // Others on the machine take the processor away: that time is left out where the processor decides.
        values.push(boundBy === 'clock' ? value : value / Math.max(0.02, 1 - waitedShare));
      }
      values.sort((a, b) => a - b);
      return [values[0] ?? 0, values[1] ?? 0, values[2] ?? 0] as const;
    };
    const compared: Compared[] = [];
    const compare = async (
      what: string,
      unit: string,
      simulated: number,
      boundBy: 'processor' | 'clock',
      measure: () => Promise<Sample>,
    ) => {
      compared.push({ what, unit, simulated, measured: await rounds(boundBy, measure) });
      say(what);
    };
    await compare('accept, 32 connections', 'requests/s', simulateAccepts(acceptMs, 32, 3), 'processor', () =>
      acceptSingly(system, outside, 3_000),
    );
    await compare('whole way, instant backend', 'tasks/s', local({ perSecond: 20_000, callMs: 0 }), 'processor', () =>
      wholeWay(system, outside, 4_000, 'instant'),
    );
    await compare('whole way, backend of 50 ms', 'tasks/s', local({ perSecond: 20_000, callMs: 50 }), 'processor', () =>
      wholeWay(system, outside, 4_000, 'slow50'),
    );
    await compare(
      `a parked line of ${LINE_TASKS.toLocaleString('en-US')}, released`,
      'tasks/s',
      local({ perSecond: 0, callMs: 0, releases: { ...RELEASE, total: LINE_TASKS } }),
      'clock',
      () => releaseLine(system, outside, LINE_TASKS),
    );
    return compared;
  } finally {
    await system.stop();
    outside.stop();
  }
}
