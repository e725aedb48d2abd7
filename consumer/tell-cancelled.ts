/**
 * Tells a backend that a task it works on was cancelled: `DELETE` to the service's `cancelPath`. A
 * courtesy: the task is cancelled whatever the backend says, so it is tried a few times and let go.
 */
import pRetry from 'p-retry';
import { logInfo, logWarning } from '../shared/log.ts';
import type { ConsumerEnv } from './env.ts';
import { joinUrl, placeOf } from './target.ts';

const TIMEOUT_MS = 10_000;

export async function tellCancelled(env: ConsumerEnv, serviceName: string, id: string): Promise<void> {
  const service = env.services[serviceName];
  if (service?.cancelPath === undefined) return;
  const place = placeOf(env, service);
  if (!place.ok) return;
  const url = joinUrl(place.baseUrl, service.cancelPath.replaceAll('{id}', id));
  const headers = new Headers({ 'task-id': id });
  for (const [name, value] of Object.entries(service.headers)) {
    const text = typeof value === 'string' ? value : env.secret(value.secret);
    if (text !== undefined) headers.set(name, text);
  }
  try {
    const status = await pRetry(
      async () => {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        const response = await place.fetch(new Request(url, { method: 'DELETE', headers, redirect: 'manual', signal }));
        await response.body?.cancel();
        if (response.status >= 500) throw new Error(`answered ${response.status}`);
        return response.status;
      },
      { retries: 2, minTimeout: 200, maxTimeout: 1_000 },
    );
    logInfo('cancel.told', { id, service: serviceName, httpStatus: status });
  } catch (error) {
    logWarning('cancel.untold', { id, service: serviceName, cause: String(error) });
  }
}
