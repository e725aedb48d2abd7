/**
 * Signs of life: a server's own, and a leader's for its cluster. They change memory only; what a
 * heartbeat changes of a server's services or of leadership is marked for the snapshot. Pure.
 */
import type { Answered, Asker, HeartbeatAnswer } from '../../shared/registry/door.ts';
import type { ClusterHeartbeat, Heartbeat } from '../../shared/registry/registration.ts';
import { answerTo, clusterMates, isLeader, leaderOf, leadersOf, leaderUrlOf, settleLeadership } from './leadership.ts';
import { NO_SUCH_SERVER, refuse } from './refusal.ts';
import { changeServices, findServer } from './roster.ts';
import type { Registry, Server } from './server.ts';

export function heartbeat(
  registry: Registry,
  id: string,
  { status, services }: Heartbeat,
  asker: Asker,
  now: number,
): Answered<HeartbeatAnswer> {
  const server = findServer(registry, id, asker);
  if (server === undefined) return NO_SUCH_SERVER;
  const problem = services && changeServices(registry, server, services, now);
  if (problem !== undefined) return refuse('invalid-request', problem);
  hear(server, now);
  if (status === 'healthy') server.down = undefined;
  else if (server.down?.by !== 'itself') server.down = { by: 'itself', since: now };
  settleLeadership(registry, server, now);
  return { ok: true, value: answerTo(registry, server, now) };
}

/** Refused from a server that does not lead, but a sign of its own life all the same. */
export function heartbeatCluster(
  registry: Registry,
  { leader: id, members }: ClusterHeartbeat,
  asker: Asker,
  now: number,
): Answered<HeartbeatAnswer> {
  const sender = id === undefined ? onlyLeader(registry, asker) : findServer(registry, id, asker);
  if (sender === undefined) return id === undefined ? NAME_THE_LEADER : NO_SUCH_SERVER;
  hear(sender, now);
  settleLeadership(registry, sender, now);
  if (!isLeader(registry, sender)) return refuseFollower(registry, sender, now);
  sender.coveredAt = now;
  const mates = new Map(clusterMates(registry, sender).map((mate) => [mate.id, mate]));
  for (const { id: memberId, up } of members) {
    const member = mates.get(memberId);
    if (member !== undefined) noteMember(member, up, now);
  }
  return { ok: true, value: answerTo(registry, sender, now) };
}

/** The server asks to lead, whatever it said when it registered. */
export function claimLeadership(registry: Registry, id: string, asker: Asker, now: number): Answered<HeartbeatAnswer> {
  const server = findServer(registry, id, asker);
  if (server === undefined) return NO_SUCH_SERVER;
  if (server.offers.length === 0) return refuse('invalid-request', 'A server without services cannot lead.');
  if (!server.registration.wantsHeartbeatLeadership) {
    server.registration = { ...server.registration, wantsHeartbeatLeadership: true };
    registry.changed.servers = true;
  }
  hear(server, now);
  settleLeadership(registry, server, now);
  return { ok: true, value: answerTo(registry, server, now) };
}

function hear(server: Server, now: number): void {
  server.lastHeardAt = now;
  server.lastSpokeAt = now;
  server.sendsHeartbeats = true;
}

/** A leader's word does not undo what a server says of itself. */
function noteMember(member: Server, up: boolean, now: number): void {
  member.sendsHeartbeats = true;
  if (up) {
    member.lastHeardAt = now;
    member.coveredAt = now;
    if (member.down?.by === 'leader') member.down = undefined;
  } else if (member.down === undefined) {
    member.down = { by: 'leader', since: now };
  }
}

const NAME_THE_LEADER = refuse(
  'invalid-request',
  'Name the leader: none or several of the servers of this token lead a cluster.',
);

function onlyLeader(registry: Registry, { subject }: Asker): Server | undefined {
  const [only, ...others] = leadersOf(registry, subject);
  return others.length === 0 ? only : undefined;
}

function refuseFollower(registry: Registry, sender: Server, now: number): Answered<never> {
  const leader = leaderOf(registry, sender, now);
  const who =
    leader === undefined
      ? 'and nobody does; register with wantsHeartbeatLeadership, or ask for the leadership'
      : `${leaderUrlOf(leader)} does; send heartbeats of its own for this server`;
  return refuse('not-heartbeat-leader', `This server does not lead its cluster: ${who}.`);
}
