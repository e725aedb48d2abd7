/** Every server is replaced by one of the next version, one after the other, while tasks and requests run. */
import type { ServerReport } from '../../examples/server/server.ts';
import type { Machine } from './machine.ts';
import { type Answered, startRequests } from './requests.ts';
import type { Stage, TaskCounts } from './stage.ts';

export interface ReplacementReport {
  readonly replaced: number;
  readonly tasks: TaskCounts;
  readonly requests: number;
  readonly failedRequests: readonly Answered[];
  /** Requests answered by each version. */
  readonly byVersion: Readonly<Record<string, number>>;
  /** On the busiest server. */
  readonly mostInFlight: number;
  readonly tookMs: number;
}

const CONDUCT = { latencyMs: 60, jitterMs: 20 };
const CALLERS = 8;

/** @param tasks to run on the way */
export async function runReplacement(
  stage: Stage,
  tasks: number,
  say: (text: string) => void,
): Promise<ReplacementReport> {
  const names = ['one', 'two', 'three'];
  const old: Machine[] = [];
  for (const name of names) old.push(await stage.addMachine({ name, conduct: { ...CONDUCT, version: '1.0.0' } }));
  const startedAt = Date.now();
  const requests = startRequests(stage, CALLERS);
  const left: ServerReport[] = [];
  const share = Math.ceil(tasks / names.length);
  for (const [index, machine] of old.entries()) {
    await stage.submit(Math.min(share, tasks - index * share));
    await stage.addMachine({ name: `${machine.name}-next`, conduct: { ...CONDUCT, version: '2.0.0' } });
    left.push(await machine.report());
    await machine.retire();
    say(`${machine.name} was replaced after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  }
  const answers = await requests.stop();
  const counts = await stage.allEnded(tasks, 120_000);
  const reports = [...left, ...(await Promise.all(stage.machines.slice(names.length).map((each) => each.report())))];
  const byVersion: Record<string, number> = {};
  for (const { version } of answers) if (version !== undefined) byVersion[version] = (byVersion[version] ?? 0) + 1;
  return {
    replaced: old.length,
    tasks: counts,
    requests: answers.length,
    failedRequests: answers.filter(({ status }) => status !== 200),
    byVersion,
    mostInFlight: Math.max(...reports.map((report) => report.mostInFlight)),
    tookMs: Date.now() - startedAt,
  };
}
