/**
 * Reads the service definitions again when they are due. Never fails and never takes long: while the
 * registry does not answer, what is known stays.
 */
import { logError, logWarning } from '../log.ts';
import type { CatalogSession } from '../registry/routing.ts';
import { withinMs } from '../time-limit.ts';
import type { ServiceDefinition } from './definition.ts';
import type { KnownServices, ReadReason } from './known-services.ts';

/** Requests wait for the registry no longer than this. */
const PATIENCE_MS = 1_000;

/** Another request of this isolate asks: its answer is looked for this often, on a timer of one's own. */
const LOOK_MS = 20;

export async function refreshServices(
  services: KnownServices,
  registry: CatalogSession,
  reason: ReadReason = {},
): Promise<void> {
  const askedAt = Date.now();
  if (!services.shouldRead(askedAt, reason)) {
    while ((reason.urgent || services.isUnread) && services.isAsking(Date.now())) await scheduler.wait(LOOK_MS);
    return;
  }
  services.noteAsked(askedAt);
  try {
    const catalog = await withinMs(registry.readServices(services.version), PATIENCE_MS, 'the registry');
    const unreadable = services.take(catalog, Date.now());
    if (unreadable.length > 0) logError('services.unreadable', { services: unreadable });
  } catch (error) {
    services.noteFailed(Date.now());
    logWarning('services.unread', { version: services.version, cause: String(error) });
  }
}

/** Definitions are not asked for more often than once a second: soon after a change one waits for its turn. */
const LOOK_AGAIN_MS = 100;
const MAX_LOOKS = 15;

/**
 * The definition of a service that was seen elsewhere a moment ago: looked for until it is the one that
 * is wanted, or for a second and a half.
 * @param isWanted of the definition that is known here
 */
export async function findService(
  { known, registry }: { readonly known: KnownServices; readonly registry: CatalogSession },
  name: string,
  isWanted: (service: ServiceDefinition | undefined) => boolean = (service) => service !== undefined,
): Promise<ServiceDefinition | undefined> {
  for (let look = 0; look < MAX_LOOKS; look++) {
    const urgent = !isWanted(known.find(name));
    if (!urgent && !known.shouldRead(Date.now())) break;
    if (look > 0) await scheduler.wait(LOOK_AGAIN_MS);
    await refreshServices(known, registry, { urgent });
  }
  return known.find(name);
}
