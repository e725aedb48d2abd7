/**
 * A place at a server for one synchronous call: asked of the registry by itself, moved to another
 * server when one cannot be reached, and reported when the call is over. Services with a fixed target
 * and no limits need none.
 */
import type { CallReport, ServerAddress } from '../../shared/registry/routing.ts';
import type { SyncCall } from '../../shared/sync/call.ts';
import type { RegistryEnv } from '../call/call-env.ts';
import type { PlaceEnv } from '../capacity/capacity-env.ts';
import { askForPlaces, asksRegistry, reportPlaces, withoutRegistry } from '../capacity/place-source.ts';
import { type Taken, waitFor } from './taken.ts';

export interface ServerPlace {
  /** Undefined for a fixed target. */
  readonly server: ServerAddress | undefined;
  /** Goes to another server that takes calls; false when there is none that has not been tried. */
  moveOn(): boolean;
  /** Never rejects: the registry takes a call that it hears nothing of as ended in the end. */
  report(report: PlaceReport): Promise<void>;
}

export type PlaceReport = Pick<CallReport, 'outcome' | 'durationMs' | 'busyUntil' | 'isOngoing'>;

/** A call that needs no place. */
export const FREE_PLACE = holdPlace(undefined, [], async () => {});

/**
 * @param waits how often it has waited before
 * @param expiresAt when the call has ended for sure, Unix ms
 */
export async function takePlace(
  env: PlaceEnv & RegistryEnv,
  { id, service, patientUntil }: SyncCall,
  waits: number,
  expiresAt: number,
): Promise<Taken<ServerPlace>> {
  if (!asksRegistry(env, service, env.known.find(service))) return { kind: 'taken', value: FREE_PLACE };
  const leaseId = crypto.randomUUID();
  const calls = [{ id, service, waits, patientUntil }];
  const placed = await askForPlaces(env, env.registry, { leaseId, expiresAt, calls });
  if (placed === undefined) {
    const found = withoutRegistry(env, service, undefined);
    if (found.kind === 'waits') return waitFor(found.why, 'server-busy');
    const [server, ...others] = found.servers ?? [];
    // The registry did not give it, and wants no report.
    return { kind: 'taken', value: holdPlace(server, others, FREE_PLACE.report) };
  }
  const [answer] = placed.answers;
  if (answer?.kind === 'start-at') return waitFor(answer.reason, 'server-busy', answer.at);
  if (answer?.kind !== 'granted') return waitFor(undefined, 'no-server');
  const report = (told: ServerReport) =>
    reportPlaces(env, env.registry, { leaseId, reports: [{ id, service, ...told }] });
  return { kind: 'taken', value: holdPlace(answer.server, env.servers.of(service), report) };
}

type ServerReport = PlaceReport & Pick<CallReport, 'server' | 'unreachableServers'>;

function holdPlace(
  first: ServerAddress | undefined,
  others: readonly ServerAddress[],
  report: (report: ServerReport) => Promise<void>,
): ServerPlace {
  let server = first;
  const unreachableServers: string[] = [];
  return {
    get server() {
      return server;
    },
    moveOn() {
      const left = others.filter(({ id }) => id !== server?.id && !unreachableServers.includes(id));
      const next = left[Math.floor(Math.random() * left.length)];
      if (server === undefined || next === undefined) return false;
      unreachableServers.push(server.id);
      server = next;
      return true;
    },
    report: (told) =>
      report({
        ...told,
        ...(server !== undefined && { server: server.id }),
        ...(unreachableServers.length > 0 && { unreachableServers }),
      }),
  };
}
