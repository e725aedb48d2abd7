/** Servers as the API shows them: times in ISO 8601, nothing left out that a reader looks for. Pure. */

import { isoTime } from '../../shared/iso-time.ts';
import type { ServerView } from '../../shared/registry/rpc.ts';
import type { ServerDocument } from '../schema/server.ts';

export function serverDocument({
  registeredAt,
  lastHeardAt,
  nextCheckAt,
  services,
  ...server
}: ServerView): ServerDocument {
  return {
    ...server,
    services: services.map(({ circuit, ...service }) => ({
      ...service,
      circuit: {
        state: circuit.state,
        ...(circuit.until !== undefined && { until: isoTime(circuit.until) }),
        history: circuit.history.map(({ at, state, why }) => ({ at: isoTime(at), state, why })),
      },
    })),
    registeredAt: isoTime(registeredAt),
    lastHeardAt: isoTime(lastHeardAt),
    ...(nextCheckAt !== undefined && { nextCheckAt: isoTime(nextCheckAt) }),
  };
}

/** `heartbeatLeaderUrl` is there in every answer: null, not absent. */
export function leadershipOf<Status extends { readonly heartbeatLeaderUrl: string | undefined }>(status: Status) {
  return { ...status, heartbeatLeaderUrl: status.heartbeatLeaderUrl ?? null };
}
