/**
 * Signs of life: a server's own, and a leader's for its cluster. What is as it was changes memory only;
 * news of a server's services, health or leadership is marked for the snapshot. Deterministic, without I/O.
 */

import type { ClusterHeartbeat, Heartbeat } from '../../../shared/registry/registration.ts';
import type { Answered, HeartbeatAnswer, RegistryCaller } from '../../../shared/registry/rpc.ts';
import { NO_SUCH_SERVER, refuse } from '../refusal.ts';
import type { Registry, Server } from '../state.ts';
import { answerTo, clusterMates, isLeader, leaderOf, leadersOf, leaderUrlOf, settleLeadership } from './leadership.ts';
import { noteContact } from './liveness.ts';
import { changeServices, findServer } from './members.ts';

export function heartbeat(
  registry: Registry,
  id: string,
  { status, services }: Heartbeat,
  caller: RegistryCaller,
  now: number,
): Answered<HeartbeatAnswer> {
  const server = findServer(registry, id, caller);
  if (server === undefined) return NO_SUCH_SERVER;
  const problem = services && changeServices(registry, server, services, now);
  if (problem !== undefined) return refuse('invalid-request', problem);
  if (status === 'healthy') setDown(registry, server, undefined);
  else if (server.down?.by !== 'itself') setDown(registry, server, { by: 'itself', since: now });
  noteOwnReport(registry, server, now);
  return { ok: true, value: answerTo(registry, server, now) };
}

/** Refused from a server that does not lead, but a sign of its own life all the same. */
export function heartbeatCluster(
  registry: Registry,
  { leader: id, members }: ClusterHeartbeat,
  caller: RegistryCaller,
  now: number,
): Answered<HeartbeatAnswer> {
  const sender = id === undefined ? onlyLeader(registry, caller) : findServer(registry, id, caller);
  if (sender === undefined) return id === undefined ? NAME_THE_LEADER : NO_SUCH_SERVER;
  noteOwnReport(registry, sender, now);
  if (!isLeader(registry, sender)) return refuseFollower(registry, sender, now);
  sender.coveredAt = now;
  const mates = new Map(clusterMates(registry, sender).map((mate) => [mate.id, mate]));
  for (const { id: memberId, up } of members) {
    const member = mates.get(memberId);
    if (member !== undefined) noteMember(registry, member, up, now);
  }
  return { ok: true, value: answerTo(registry, sender, now) };
}

/** The server asks to lead, whatever it said when it registered. */
export function claimLeadership(
  registry: Registry,
  id: string,
  caller: RegistryCaller,
  now: number,
): Answered<HeartbeatAnswer> {
  const server = findServer(registry, id, caller);
  if (server === undefined) return NO_SUCH_SERVER;
  if (server.offers.length === 0) return refuse('invalid-request', 'A server without services cannot lead.');
  if (!server.registration.wantsHeartbeatLeadership) {
    server.registration = { ...server.registration, wantsHeartbeatLeadership: true };
    registry.changed.servers = true;
  }
  noteOwnReport(registry, server, now);
  return { ok: true, value: answerTo(registry, server, now) };
}

/** It may take the lead, or lose it. */
function noteOwnReport(registry: Registry, server: Server, now: number): void {
  noteContact(registry, server, now);
  server.lastSpokeAt = now;
  server.sendsHeartbeats = true;
  settleLeadership(registry, server, now);
}

/** A leader's word does not undo what a server says of itself. */
function noteMember(registry: Registry, member: Server, up: boolean, now: number): void {
  member.sendsHeartbeats = true;
  if (up) {
    noteContact(registry, member, now);
    member.coveredAt = now;
    if (member.down?.by === 'leader') setDown(registry, member, undefined);
  } else if (member.down === undefined) {
    setDown(registry, member, { by: 'leader', since: now });
  }
}

function setDown(registry: Registry, server: Server, down: Server['down']): void {
  if (server.down === down) return;
  server.down = down;
  registry.changed.servers = true;
}

const NAME_THE_LEADER = refuse(
  'invalid-request',
  'Name the leader: none or several of the servers of this token lead a cluster.',
);

function onlyLeader(registry: Registry, { subject }: RegistryCaller): Server | undefined {
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
