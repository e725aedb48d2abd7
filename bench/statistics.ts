/**
 * `npm run bench:statistics`: what statistics cost, all that they do included. Batches are claimed and settled over RPC by the
 * real callback Worker with D1 in workerd, with statistics and without, in the same isolate and in turns of a few batches,
 * because a machine's pace changes within seconds. What is compared is the processor time of the runtime's whole process,
 * as medians over pairs of turns. A write of the counts is in few turns, every two seconds at most: it is measured by turns that
 * write after every batch. It leaves out what a task costs elsewhere (acceptance, queue, call), and so shows a larger share than a
 * deployment has. Exits with 1 when both together are above the budget.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLocal } from '../local/runtime.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { median } from './report/statistic.ts';
import { RuntimeProcess } from './system/runtime-process.ts';

/** Percent: a settle is to be no slower than this. */
const BUDGET = 3;

/** As deployed. */
const BATCH_TASKS = 10;

/** As `callback/statistics.ts` says it. */
const WRITES_EVERY_MS = 2_000;

const MODES = ['off', 'on', 'writing'] as const;

/** Microseconds of a turn in each mode, one after the other. */
type Round = Readonly<Record<(typeof MODES)[number], number>>;

const DAY_MS = 86_400_000;

const SECRETS = {
  JWT_SECRET: 'jwt-secret-of-the-statistics-32-bytes-or-more',
  ID_SECRET: 'id-secret-of-the-statistics-32-bytes-or-more',
  CALLBACK_SECRET: 'callback-secret-of-the-statistics-32-bytes-or-more',
  WEBHOOK_SECRET: 'webhook-secret-of-the-statistics-32-bytes-or-more',
};

/** Of one turn. */
const TURN_BATCHES = 5;

/** A write goes on beside the answer: it is over by then, and part of its turn. */
const REST_MS = 3;

/** Turns until the tasks are deleted, so that the table stays as large as it is. */
const CLEAN_TURNS = 100;

const WARM_UP_ROUNDS = 100;

const { values } = parseOptionsOrExit({ options: { rounds: { type: 'string', default: '600' } } });
const rounds = Number(values.rounds);

const stateDir = mkdtempSync(path.join(tmpdir(), 'tasklane-statistics-'));
const run = await startLocal({
  stateDir,
  shards: 1,
  asDeployed: true,
  secrets: SECRETS,
  // Its sweeps are no part of a batch.
  cronIntervalMs: DAY_MS,
  mains: {
    producer: 'producer/index.ts',
    callback: 'bench/workers/counted/callback.ts',
    consumer: 'bench/workers/counted/consumer.ts',
  },
});

try {
  const runtime = new RuntimeProcess(run.runtimePid);
  const callback = await run.miniflare.getWorker('tasklane-callback');
  const consumer = await run.miniflare.getWorker('tasklane-consumer-0');
  const database = await run.miniflare.getD1Database('TASK_DB_0', 'tasklane-callback');

  let turns = 0;
  /** Microseconds of processor. */
  const spent = async (mode: (typeof MODES)[number]): Promise<number> => {
    if (turns++ % CLEAN_TURNS === 0) await database.prepare('DELETE FROM tasks').run();
    await callback.fetch(`http://statistics/${mode}`);
    const before = runtime.threadMicroseconds();
    const query = `batches=${TURN_BATCHES}&tasks=${BATCH_TASKS}${mode === 'off' ? '' : '&told'}`;
    const answer = await consumer.fetch(`http://batches/?${query}`);
    if (!answer.ok) throw new Error(await answer.text());
    await sleep(REST_MS);
    return runtime.threadMicroseconds() - before;
  };

  const measured: Round[] = [];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const micros = { off: 0, on: 0, writing: 0 };
    // Each comes first, second and last as often as the others.
    for (const at of MODES.keys()) {
      const mode = MODES[(at + Math.abs(round)) % MODES.length] ?? 'off';
      micros[mode] = await spent(mode);
    }
    if (round >= 0) measured.push(micros);
  }
  const counting = medianOf(measured.map(({ on, off }) => (on / off - 1) * 100));
  const writing = medianOf(measured.map((micros) => (micros.writing - micros.on) / TURN_BATCHES));
  const perTask = medianOf(measured.map(({ off }) => off / (TURN_BATCHES * BATCH_TASKS)));
  const ofProcessor = (writing.median / (WRITES_EVERY_MS * 1_000)) * 100;
  const together = counting.median + ofProcessor;
  console.log(
    `${rounds} rounds of ${TURN_BATCHES} batches of ${BATCH_TASKS} tasks, claimed and settled: ${perTask.median.toFixed(0)} µs of processor a task`,
  );
  console.log(
    `counting: ${shown(counting, '%')} more, ${((counting.median / 100) * perTask.median).toFixed(1)} µs a task`,
  );
  console.log(
    `writing: ${shown(writing, ' µs')}, every ${WRITES_EVERY_MS / 1_000} s at most: ${ofProcessor.toFixed(2)}% of a processor that does nothing else`,
  );
  console.log(`together: ${together.toFixed(1)}%, of at most ${BUDGET}%`);
  process.exitCode = together > BUDGET ? 1 : 0;
} finally {
  await run.stop();
  rmSync(stateDir, { recursive: true, force: true });
}

interface Median {
  readonly median: number;
  /** With a confidence of 95%, from the order: ranks are binomial, whatever the distribution. */
  readonly low: number;
  readonly high: number;
}

function medianOf(values: readonly number[]): Median {
  const sorted = values.toSorted((a, b) => a - b);
  const half = (1.96 * Math.sqrt(sorted.length)) / 2;
  const at = (rank: number) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(rank)))] ?? Number.NaN;
  return { median: median(values), low: at(sorted.length / 2 - half - 1), high: at(sorted.length / 2 + half) };
}

function shown({ median: middle, low, high }: Median, unit: string): string {
  return `${middle.toFixed(1)}${unit} (95% confidence: ${low.toFixed(1)} to ${high.toFixed(1)})`;
}
