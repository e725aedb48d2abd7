/** Makes the checks that are due: a real request each, a few at a time. */
import { isUnreachableStatus } from '../../../shared/service/unreachable.ts';
import type { CheckResult, DueCheck } from './health-check.ts';

const TIMEOUT_MS = 5_000;
/** Connections that an invocation may have waiting for headers. */
const AT_A_TIME = 6;

export async function probe(checks: readonly DueCheck[]): Promise<CheckResult[]> {
  const waiting = [...checks];
  const results: CheckResult[] = [];
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      results.push({ ...check, ...(await look(check.url)) });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, checks.length) }, worker));
  return results;
}

/** Any answer below 500 is a sign of life. */
async function look(url: string): Promise<Pick<CheckResult, 'problem' | 'isReached'>> {
  try {
    const { status, body } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    await body?.cancel();
    return { problem: status < 500 ? undefined : `answered ${status}`, isReached: !isUnreachableStatus(status) };
  } catch (error) {
    const isTooLong = error instanceof DOMException && error.name === 'TimeoutError';
    const problem = isTooLong ? `no answer within ${TIMEOUT_MS / 1000} s` : 'could not be reached';
    return { problem, isReached: false };
  }
}
