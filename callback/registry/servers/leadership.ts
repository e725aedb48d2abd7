/**
 * Who sends the heartbeats of a cluster: the first server with services that wants to. When it is
 * silent for more than one and a half intervals, the next that asks takes over; whoever led before is
 * told at its next word. The registry names one leader a cluster at any time. Pure.
 */
import type { ClusterMember, HeartbeatAnswer } from '../../../shared/registry/rpc.ts';
import type { Registry, Server } from '../state.ts';

/** One heartbeat may be late; two may not be missing. */
const SILENT_LEADER_INTERVALS = 1.5;

/** Only servers of the same owner look after each other. */
function clusterOf({ owner, registration }: Server): string {
  return JSON.stringify([owner, registration.cluster]);
}

/** @returns undefined when nobody leads, or the leader is silent */
export function leaderOf(registry: Registry, server: Server, now: number): Server | undefined {
  const id = registry.leaders.get(clusterOf(server));
  const leader = id === undefined ? undefined : registry.servers.get(id);
  if (leader === undefined) return undefined;
  const silentMs = now - leader.lastSpokeAt;
  return silentMs > SILENT_LEADER_INTERVALS * registry.settings.heartbeatMs ? undefined : leader;
}

export function isLeader(registry: Registry, server: Server): boolean {
  return registry.leaders.get(clusterOf(server)) === server.id;
}

/** After a server's word: it takes the lead if it wants it and nobody has it, and gives it up if it may not. */
export function settleLeadership(registry: Registry, server: Server, now: number): void {
  const cluster = clusterOf(server);
  const leads = registry.leaders.get(cluster) === server.id;
  const wants = server.registration.wantsHeartbeatLeadership && server.offers.length > 0;
  if (leads && !wants) {
    leaveLeadership(registry, server);
  } else if (!leads && wants && leaderOf(registry, server, now) === undefined) {
    registry.leaders.set(cluster, server.id);
    registry.changed.servers = true;
    registry.notices.push({
      event: 'server.leads',
      fields: { id: server.id, cluster: server.registration.cluster },
    });
  }
}

/** Its cluster is without a leader until the next one asks. */
export function leaveLeadership(registry: Registry, server: Server): void {
  if (!isLeader(registry, server)) return;
  registry.leaders.delete(clusterOf(server));
  registry.changed.servers = true;
}

/** Where a leader is reached by those it leads. */
export function leaderUrlOf({ registration, url }: Server): string {
  return registration.agentUrl ?? url;
}

export function answerTo(registry: Registry, server: Server, now: number): HeartbeatAnswer {
  const leads = isLeader(registry, server);
  const leader = leads ? undefined : leaderOf(registry, server, now);
  return {
    heartbeatIntervalSeconds: registry.settings.heartbeatMs / 1000,
    isHeartbeatLeader: leads,
    heartbeatLeaderUrl: leader && leaderUrlOf(leader),
    members: leads ? membersOf(registry, server) : [],
  };
}

function membersOf(registry: Registry, leader: Server): ClusterMember[] {
  return clusterMates(registry, leader).map(({ id, url, registration }) => ({
    id,
    url,
    agentUrl: registration.agentUrl,
  }));
}

/** The other servers of its cluster. */
export function clusterMates(registry: Registry, server: Server): Server[] {
  const cluster = clusterOf(server);
  return [...registry.servers.values()].filter((other) => other.id !== server.id && clusterOf(other) === cluster);
}

/** The leaders among the servers of `owner`. */
export function leadersOf(registry: Registry, owner: string): Server[] {
  return [...registry.leaders.values()].flatMap((id) => {
    const leader = registry.servers.get(id);
    return leader?.owner === owner ? [leader] : [];
  });
}
