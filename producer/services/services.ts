/**
 * The service definitions as this request needs them: what is unknown, or was never read, is asked for
 * first; what is merely old is read again beside the request, so that accepting a task waits for
 * nothing but its queue.
 */
import type { Context } from 'hono';
import type { KnownServices, ReadReason } from '../../shared/service/known-services.ts';
import { refreshServices } from '../../shared/service/refresh.ts';
import { beside } from '../answer/beside.ts';
import type { AppEnv } from '../app.ts';
import type { Runtime } from '../runtime.ts';

/** @param names of the services that the request is about; none: only the list as a whole */
export function loadServices(c: Context<AppEnv>, names: readonly string[]): KnownServices | Promise<KnownServices> {
  const { runtime } = c.env;
  const { services } = runtime;
  const urgent = names.some((name) => services.find(name) === undefined);
  if (urgent || services.isUnread) return readServices(runtime, { urgent }).then(() => services);
  if (services.shouldRead(Date.now())) beside(c, readServices(runtime));
  return services;
}

/** When they are due, or there is a reason. */
export function readServices({ services, config }: Runtime, reason: ReadReason = {}): Promise<void> {
  return refreshServices(services, config.registry, reason);
}
