/** Makes the health checks that are due: a real request each, a few at a time. */
import type { CheckResult, DueCheck } from './health-check.ts';

const TIMEOUT_MS = 5_000;
/** Connections that an invocation may have waiting for headers. */
const AT_A_TIME = 6;

/** @returns results by server */
export async function probe(checks: readonly DueCheck[]): Promise<Map<string, CheckResult[]>> {
  const results = new Map<string, CheckResult[]>();
  const waiting = [...checks];
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const { serverId, service, url } = check;
      const problem = await problemOf(url);
      results.set(serverId, [...(results.get(serverId) ?? []), { service, problem }]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, checks.length) }, worker));
  return results;
}

/** Any answer below 500 is a sign of life. */
async function problemOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    await response.body?.cancel();
    return response.status < 500 ? undefined : `answered ${response.status}`;
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError'
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : 'could not be reached';
  }
}
