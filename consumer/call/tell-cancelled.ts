/**
 * Tells a backend that a task it works on was cancelled: `DELETE` to the service's `cancelPath`. A
 * courtesy: the task is cancelled whatever the backend says, so it is tried a few times and let go.
 */
import pRetry from 'p-retry';
import { logInfo, logWarning } from '../../shared/log.ts';
import { cancelMessage } from '../../shared/message/task-message.ts';
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import { findService } from '../../shared/service/refresh.ts';
import type { CallableServer } from '../capacity/failover.ts';
import type { CancelEnv, RegistryEnv } from './call-env.ts';
import { joinUrl, placeOf, setServiceHeaders } from './request/target.ts';

const TIMEOUT_MS = 10_000;

/**
 * Beside running calls: over the network at once; a bound Worker costs an invocation, which a later
 * batch has to spare.
 */
export async function tellAborted(
  env: CancelEnv,
  serviceName: string,
  id: string,
  servers: readonly CallableServer[] = [],
  known = env.services[serviceName],
): Promise<void> {
  const service = await definitionToTell(env, serviceName, known);
  if (service?.cancelPath === undefined) return;
  if (service.binding === undefined) return tellCancelled(env, serviceName, id, servers, service);
  try {
    await env.ownQueue.send(cancelMessage(id, serviceName), { contentType: 'json' });
  } catch (error) {
    logWarning('cancel.untold', { id, service: serviceName, cause: String(error) });
  }
}

/** Where a registered server takes calls of the service; none when it is gone, or the registry does not answer. */
export async function serversOf(
  { registry }: RegistryEnv,
  service: string,
  server: string | undefined,
): Promise<CallableServer[]> {
  if (server === undefined) return [];
  try {
    const answer = await registry.getServer(server, { subject: '', isAdmin: true });
    const offer = answer.ok ? answer.value.services.find(({ name }) => name === service) : undefined;
    return offer === undefined ? [] : [{ id: server, baseUrl: offer.baseUrl }];
  } catch (error) {
    logWarning('registry.unavailable', { service, cause: String(error) });
    return [];
  }
}

/**
 * Never rejects: the calls of its batch would pay for it (rule R21).
 * @param servers of a service without a fixed target, the one that works on the task first
 */
export async function tellCancelled(
  env: CancelEnv,
  serviceName: string,
  id: string,
  servers: readonly CallableServer[] = [],
  known = env.services[serviceName],
): Promise<void> {
  try {
    const service = await definitionToTell(env, serviceName, known);
    if (service?.cancelPath === undefined) return;
    const place = placeOf(env, service, servers);
    if (!place.ok) throw new Error(place.problem);
    const url = joinUrl(place.servers[0].baseUrl, service.cancelPath.replaceAll('{id}', id));
    const headers: Record<string, string> = { 'task-id': id };
    const problem = setServiceHeaders(env, service, url, headers);
    if (problem !== undefined) throw new Error(problem);
    const status = await pRetry(
      async () => {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        const response = await place.fetch(url, { method: 'DELETE', headers, redirect: 'manual', signal });
        await response.body?.cancel();
        if (response.status >= 500) throw new Error(`answered ${response.status}`);
        return response.status;
      },
      // Each try at a bound Worker is an invocation, and those are counted.
      { retries: service.binding === undefined ? 2 : 0, minTimeout: 200, maxTimeout: 1_000 },
    );
    logInfo('cancel.told', { id, service: serviceName, httpStatus: status });
  } catch (error) {
    logWarning('cancel.untold', { id, service: serviceName, cause: String(error) });
  }
}

/**
 * A path that was put a moment ago, within this millisecond perhaps, may not be known here yet, and a call that is under way
 * began with what was known then. Those that ask at the same time share a look.
 */
async function definitionToTell(
  env: CancelEnv,
  name: string,
  known: ServiceDefinition | undefined,
): Promise<ServiceDefinition | undefined> {
  if (known?.cancelPath !== undefined) return known;
  const startedAt = Date.now();
  return findService(
    env,
    name,
    (definition) => definition?.cancelPath !== undefined || env.known.isReadSince(startedAt + 1),
  );
}
