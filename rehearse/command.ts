/** `npm run deploy -- --rehearse`: the life of a deployment against the stub, with faults, and for real at its end. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DeployError } from '../deploy/deploy-error.ts';
import { ROOT, readPlan } from '../deploy/plan/plan-files.ts';
import { buildUploads } from '../deploy/upload/build-uploads.ts';
import { alignedTable, markdownTable } from '../terminal/table.ts';
import { runTaskThrough } from './live.ts';
import { EXTENTS, faultRows, faultsFor, MATRIX_HEADER, scenarioRows } from './matrix.ts';
import { type FaultRun, type Rehearsal, rehearseScenario, tryFault } from './rehearse.ts';
import { hollow, SCENARIOS } from './scenario.ts';
import { faultsOfGrowth, growAndShrink, growthLines } from './stores-under-load.ts';

const PAGE = path.join(ROOT, 'docs', 'rehearsal.md');

const SECTION = /(<!-- rehearsed -->\n)[\s\S]*(<!-- \/rehearsed -->)/;

const SHOWN_FAILURES = 20;

const RUNS_A_LINE = 50;

const TASKS_A_PHASE = 200;

/**
 * @param faults how many are tried: `none`, `some` or `all`
 * @returns whether everything went as it should
 */
export async function rehearse(
  faults: string,
  writes: boolean,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const extent = EXTENTS.find((known) => known === faults);
  if (extent === undefined) throw new DeployError(`--faults is one of ${EXTENTS.join(', ')}`);
  const startedAt = performance.now();
  say('building the Workers …');
  const uploads = await buildUploads(readPlan({ shards: 1 }), 'rehearsal');
  const light = await hollow(uploads);
  const rehearsals: Rehearsal[] = [];
  const runs: FaultRun[] = [];
  for (const [round, scenario] of SCENARIOS.entries()) {
    signal.throwIfAborted();
    const whole = await rehearseScenario(scenario, uploads);
    say(`${scenario.name}: ${whole.calls.length} calls`);
    for (const line of whole.said) say(`  ${line}`);
    await runWhatIsDeployed(whole, say);
    const rehearsal = await rehearseScenario(scenario, light);
    rehearsals.push(rehearsal);
    const injected = faultsFor(rehearsal, extent, round);
    for (const [index, fault] of injected.entries()) {
      signal.throwIfAborted();
      runs.push(await tryFault(rehearsal, fault, light));
      if ((index + 1) % RUNS_A_LINE === 0) say(`  ${index + 1} of ${injected.length} runs with a fault`);
    }
  }
  signal.throwIfAborted();
  say('stores that come and go under load …');
  const growth = await growAndShrink(uploads, TASKS_A_PHASE);
  for (const line of growthLines(growth)) say(`  ${line}`);
  const failed = runs.filter(({ problems }) => problems.length > 0);
  for (const { scenario, fault, call, problems } of failed.slice(0, SHOWN_FAILURES)) {
    say(`FAILED ${scenario}: ${fault.kind} at call ${fault.call} (${call}): ${problems.join('; ')}`);
  }
  const tables = [
    [MATRIX_HEADER, scenarioRows(rehearsals, runs)],
    [['', ...MATRIX_HEADER.slice(2)], faultRows(runs)],
  ] as const;
  console.log(tables.map(([header, rows]) => `\n${alignedTable(header, rows)}`).join('\n'));
  if (writes) writePage(tables.map(([header, rows]) => markdownTable(header, rows)).join('\n\n'));
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  say(`\n${rehearsals.length} scenarios, ${runs.length} runs with a fault, ${failed.length} failed, ${seconds} s`);
  const lost = faultsOfGrowth(growth);
  for (const fault of lost) say(`FAILED under load: ${fault}`);
  return failed.length + lost.length === 0;
}

/** Deployments that are there at the end take a task; those that were removed are gone. */
async function runWhatIsDeployed({ scenario, after }: Rehearsal, say: (line: string) => void): Promise<void> {
  for (const { name } of [...after.scripts.values()].filter((script) => script.hasAddress)) {
    const deployment = name.replace(/-producer$/, '');
    await runTaskThrough(after, deployment, scenario.stage.environment.JWT_SECRET ?? '');
    say(`  a task and a large one went through ${deployment}; wrong tokens are counted`);
  }
}

function writePage(tables: string): void {
  const page = readFileSync(PAGE, 'utf8');
  // A function, because dollars mean something in a replacement text.
  writeFileSync(
    PAGE,
    page.replace(SECTION, (_, start: string, end: string) => `${start}\n${tables}\n\n${end}`),
  );
}
