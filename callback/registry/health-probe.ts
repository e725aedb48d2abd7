/** Makes the health checks that are due: a real request each, a few at a time. */
import { isUnreachableStatus } from '../../shared/service/unreachable.ts';
import type { CheckResult, DueCheck } from './health-check.ts';
import type { DueOutageCheck } from './outage.ts';

const TIMEOUT_MS = 5_000;
/** Connections that an invocation may have waiting for headers. */
const AT_A_TIME = 6;

/** @returns results by server */
export async function probe(checks: readonly DueCheck[]): Promise<Map<string, CheckResult[]>> {
  const results = new Map<string, CheckResult[]>();
  await aFewAtATime(checks, async ({ serverId, service, url }) => {
    const problem = await problemOf(url);
    results.set(serverId, [...(results.get(serverId) ?? []), { service, problem }]);
  });
  return results;
}

/** @returns services at whose address somebody answers, whatever the answer */
export async function reach(checks: readonly DueOutageCheck[]): Promise<Set<string>> {
  const reached = new Set<string>();
  await aFewAtATime(checks, async ({ service, url }) => {
    const status = await statusOf(url).catch(() => undefined);
    if (status !== undefined && !isUnreachableStatus(status)) reached.add(service);
  });
  return reached;
}

async function aFewAtATime<Check>(checks: readonly Check[], make: (check: Check) => Promise<void>): Promise<void> {
  const waiting = [...checks];
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) await make(check);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, checks.length) }, worker));
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
  await response.body?.cancel();
  return response.status;
}

/** Any answer below 500 is a sign of life. */
async function problemOf(url: string): Promise<string | undefined> {
  try {
    const status = await statusOf(url);
    return status < 500 ? undefined : `answered ${status}`;
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError'
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : 'could not be reached';
  }
}
