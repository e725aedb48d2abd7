/**
 * Pushes over OTLP/HTTP as JSON (opentelemetry.io/docs/specs/otlp). It never rejects and never repeats: traces and
 * metrics are of use while they are new, and nothing else waits for them.
 */
import { logWarning } from '../log.ts';
import type { OtlpEndpoint } from './endpoint.ts';

const TIMEOUT_MS = 5_000;

export async function pushOtlp(endpoint: OtlpEndpoint, signal: 'traces' | 'metrics', body: object): Promise<void> {
  try {
    const response = await fetch(`${endpoint.url}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'Tasklane', ...endpoint.headers },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) logWarning('otlp.refused', { signal, httpStatus: response.status });
  } catch (error) {
    logWarning('otlp.failed', { signal, cause: error instanceof Error ? error.name : 'unknown' });
  }
}
