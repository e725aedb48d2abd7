/** The same synchronous requests over the same four servers, once for each way of balancing. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BalancingAlgorithm } from '../../shared/service/definition.ts';
import { type Answered, startRequests } from './requests.ts';
import { SERVICE, type Stage } from './stage.ts';

export interface ServerShare {
  readonly name: string;
  readonly calls: number;
  /** Of the answers that callers got from it; undefined without any. */
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export interface AlgorithmReport {
  readonly algorithm: BalancingAlgorithm;
  /** Of all servers, under the name `all`. */
  readonly all: ServerShare;
  readonly servers: readonly ServerShare[];
  readonly errors: number;
}

/** Two alike, one that says it is worth two, and one that is ten times slower. */
export const MACHINES = [
  { name: 'one', weight: 1, conduct: { latencyMs: 40, jitterMs: 10 } },
  { name: 'two', weight: 1, conduct: { latencyMs: 40, jitterMs: 10 } },
  { name: 'heavy', weight: 2, conduct: { latencyMs: 40, jitterMs: 10 } },
  { name: 'slow', weight: 1, conduct: { latencyMs: 400, jitterMs: 50 } },
] as const;

const CALLERS = 12;

/** @param settleMs before counting: the new way has to be known, and the old calls to end */
export async function runAlgorithm(
  stage: Stage,
  algorithm: BalancingAlgorithm,
  { settleMs, runMs }: { readonly settleMs: number; readonly runMs: number },
): Promise<AlgorithmReport> {
  await stage.call('admin', 'POST', '/api/stats/load-balancer/algorithm', { service: SERVICE, algorithm });
  const warmUp = startRequests(stage, CALLERS);
  await sleep(settleMs);
  await warmUp.stop();
  const requests = startRequests(stage, CALLERS);
  await sleep(runMs);
  const answers = await requests.stop();
  const good = answers.filter(({ status }) => status === 200);
  return {
    algorithm,
    all: shareOf('all', good),
    servers: MACHINES.map(({ name }) =>
      shareOf(
        name,
        good.filter(({ server }) => server === name),
      ),
    ),
    errors: answers.length - good.length,
  };
}

function shareOf(name: string, answers: readonly Answered[]): ServerShare {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => percentile(sorted, share));
  return { name, calls: sorted.length, p50Ms, p95Ms, p99Ms };
}

/** By nearest rank. */
function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
