/**
 * `npm run bench:cluster`: example servers under agents against the real local run. How each way of
 * balancing spreads requests, what churn does to tasks, and a rolling replacement under load.
 */

import { BALANCING_ALGORITHMS } from '../shared/service/definition.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { MACHINES, runAlgorithm } from './cluster/algorithms.ts';
import { runChurn } from './cluster/churn.ts';
import { runReplacement } from './cluster/replacement.ts';
import { HEARTBEAT_SECONDS, Stage } from './cluster/stage.ts';
import { runTakeOver } from './cluster/take-over.ts';
import { decimal } from './report/statistic.ts';

const USAGE = `npm run bench:cluster -- [options]

  --tasks N       tasks of the churn and of the replacement (5000)
  --seconds S     of each way of balancing (8)
  --only PART     one of balancing, churn, replacement, take-over
  --strict        exit with 1 when a target is missed
  --help          this text
`;

const { values } = parseOptionsOrExit({
  options: {
    tasks: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '8' },
    only: { type: 'string' },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const say = (text: string) => console.log(`  ${text}`);
const ms = (value: number | undefined) => (value === undefined ? '–' : decimal(value, 0));

/** Each part says which of its targets it missed. */
const PARTS: Readonly<Record<string, () => Promise<string[]>>> = {
  balancing: showBalancing,
  churn: showChurn,
  replacement: showReplacement,
  'take-over': showTakeOver,
};

async function showBalancing(): Promise<string[]> {
  const machines = MACHINES.map(({ name, weight, conduct }) => `${name} ${conduct.latencyMs} ms, weight ${weight}`);
  console.log(`Balancing: synchronous requests over four servers (${machines.join('; ')})\n`);
  await using stage = await Stage.open();
  for (const machine of MACHINES) await stage.addMachine(machine);
  const p99 = new Map<string, number>();
  const rows: string[][] = [];
  for (const algorithm of BALANCING_ALGORITHMS) {
    const report = await runAlgorithm(stage, algorithm, { settleMs: 1_500, runMs: Number(values.seconds) * 1000 });
    const { all, servers, errors } = report;
    p99.set(algorithm, all.p99Ms ?? Number.NaN);
    for (const { name, calls, p50Ms, p95Ms, p99Ms } of [...servers, all]) {
      const share = `${decimal((100 * calls) / Math.max(1, all.calls), 1)}%`;
      rows.push([
        algorithm,
        name,
        decimal(calls, 0),
        share,
        ms(p50Ms),
        ms(p95Ms),
        ms(p99Ms),
        name === 'all' ? String(errors) : '',
      ]);
    }
  }
  console.log(alignedTable(['balancing', 'server', 'calls', 'share', 'p50 ms', 'p95 ms', 'p99 ms', 'errors'], rows));
  console.log('Synchronous requests carry no affinity key, so sticky is least-connections here.\n');
  const beaten = (p99.get('peak-ewma') ?? Number.NaN) < (p99.get('round-robin') ?? Number.NaN);
  return beaten ? [] : ['the p99 of peak-ewma is not below that of round-robin'];
}

async function showChurn(): Promise<string[]> {
  const count = Number(values.tasks);
  console.log(`Churn: ${count} tasks while one server dies, one comes, one is drained and one becomes slow\n`);
  await using stage = await Stage.open();
  const { tasks, tookMs, servers, callsAfterDrain } = await runChurn(stage, count, say);
  const { succeeded, failed, runs, deferrals } = tasks;
  say(
    `${succeeded} tasks succeeded, ${failed} failed, ${runs} runs, ${deferrals} waits, ${decimal(tookMs / 1000, 1)} s\n`,
  );
  const rows = servers.map(({ name, calls, failures, mostInFlight }) => [
    name,
    ...[calls, failures, mostInFlight].map((value) => decimal(value, 0)),
  ]);
  console.log(alignedTable(['server', 'calls', 'failures', 'most at a time'], rows));
  console.log();
  return [
    ...(succeeded === count ? [] : [`${count - succeeded} tasks did not succeed`]),
    ...(callsAfterDrain === 0 ? [] : [`${callsAfterDrain} calls reached a server that was drained`]),
  ];
}

async function showReplacement(): Promise<string[]> {
  const count = Number(values.tasks);
  console.log(
    `Rolling replacement of three servers, under ${count} tasks and eight callers of the synchronous route\n`,
  );
  await using stage = await Stage.open();
  const { tasks, requests, failedRequests, byVersion, tookMs } = await runReplacement(stage, count, say);
  const versions = Object.entries(byVersion).map(([version, answers]) => `${answers} by ${version}`);
  say(`${tasks.succeeded} tasks succeeded, ${tasks.failed} failed, ${tasks.runs} runs`);
  say(`${requests} requests, ${failedRequests.length} failed; answered ${versions.join(', ')}`);
  for (const { status, problem } of failedRequests.slice(0, 5)) say(`failed with ${status}: ${problem}`);
  say(`${decimal(tookMs / 1000, 1)} s\n`);
  return [
    ...(tasks.succeeded === count ? [] : [`${count - tasks.succeeded} tasks did not succeed`]),
    ...(failedRequests.length === 0 ? [] : [`${failedRequests.length} requests failed`]),
  ];
}

async function showTakeOver(): Promise<string[]> {
  console.log(
    `Take-over: the leader of three is killed; then the coordinator restarts (heartbeats each ${HEARTBEAT_SECONDS} s)\n`,
  );
  await using stage = await Stage.open();
  const { takeOverMs, backMs } = await runTakeOver(stage);
  say(
    `another one leads after ${decimal(takeOverMs / 1000, 2)} s, ${decimal(takeOverMs / (HEARTBEAT_SECONDS * 1000), 2)} intervals`,
  );
  say(`all agents are back ${decimal(backMs / 1000, 2)} s after the coordinator is\n`);
  return takeOverMs <= 2 * HEARTBEAT_SECONDS * 1000 ? [] : ['the take-over took longer than two intervals'];
}

async function run(): Promise<number> {
  const { only } = values;
  const names = only === undefined ? Object.keys(PARTS) : [only];
  const missed: string[] = [];
  for (const name of names) {
    const part = PARTS[name];
    if (part === undefined) throw new Error(`--only is one of ${Object.keys(PARTS).join(', ')}`);
    missed.push(...(await part()));
  }
  for (const miss of missed) console.log(`missed: ${miss}`);
  return values.strict && missed.length > 0 ? 1 : 0;
}

if (values.help) console.log(USAGE);
else process.exitCode = await run();
