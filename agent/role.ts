/**
 * Leading and following: what the coordinator's reply on who leads, a probe and a round of probes make
 * of an agent's role. Pure.
 */
import type { AgentEvent } from './event.ts';
import {
  type AgentState,
  afterRefusedClaim,
  type Follower,
  type Leader,
  type Member,
  newFollower,
  type RegistrationStatus,
  type Role,
  type Seen,
} from './state.ts';

export interface StepResult {
  readonly state: AgentState;
  readonly events: readonly AgentEvent[];
}

/** A dead leader still leads for the first claims; one that lives and does not probe is worth a line. */
const REFUSALS_TOLD = 3;

/** What the coordinator says of who leads. */
export interface LeadershipReply {
  readonly heartbeatIntervalSeconds: number;
  readonly isHeartbeatLeader: boolean;
  readonly heartbeatLeaderUrl?: string | null | undefined;
  /** For the leader: whom to look after. Absent in the answer to a registration. */
  readonly members?: readonly Member[] | undefined;
}

export function quiet(state: AgentState): StepResult {
  return { state, events: [] };
}

/**
 * Takes the coordinator's reply on who leads.
 * @param asFollower what the answer makes of a follower that stays one
 */
export function applyLeadership(
  state: AgentState,
  leadership: LeadershipReply,
  now: number,
  asFollower: (follower: Follower, intervalMs: number) => Follower,
): StepResult {
  const { status, settings } = state;
  if (status.kind === 'unregistered') return quiet(state);
  const intervalMs = leadership.heartbeatIntervalSeconds * 1000;
  const { role, events } = roleAfter(status, leadership, () => {
    const leaderUrl = leadership.heartbeatLeaderUrl ?? undefined;
    if (status.role.kind === 'follower') return asFollower({ ...status.role, leaderUrl }, intervalMs);
    return newFollower(settings, leaderUrl, intervalMs, now);
  });
  const isNewLeader = role.kind === 'leader' && status.role.kind === 'follower';
  const prompt = isNewLeader || hasUnprobed(role) ? { ...role, nextRoundAt: now } : role;
  return { state: { ...state, status: { ...status, intervalMs, role: prompt } }, events };
}

/** A new leader, and one with new members, looks after them at once: they wait for it. */
function hasUnprobed(role: Role): role is Leader {
  return role.kind === 'leader' && role.members.some(({ id, agentUrl }) => agentUrl && role.seen[id] === undefined);
}

function roleAfter(
  { role, id }: Extract<RegistrationStatus, { kind: 'registered' }>,
  leadership: LeadershipReply,
  follower: () => Follower,
): { readonly role: Role; readonly events: readonly AgentEvent[] } {
  if (leadership.isHeartbeatLeader) {
    const members = leadership.members?.filter((member) => member.id !== id);
    if (role.kind === 'leader') return { role: { ...role, members: members ?? role.members }, events: [] };
    const leader: Leader = { kind: 'leader', members: members ?? [], nextRoundAt: 0, seen: {} };
    return { role: leader, events: [{ event: 'leading', members: leader.members.length }] };
  }
  const next = follower();
  const { leaderUrl } = next;
  if (role.kind === 'leader') return { role: next, events: [{ event: 'stepped-down', leaderUrl }] };
  const isNews = leaderUrl !== undefined && leaderUrl !== role.leaderUrl;
  return { role: next, events: isNews ? [{ event: 'following', leaderUrl }] : [] };
}

export function claimAnswered(state: AgentState, leadership: LeadershipReply, now: number): StepResult {
  const { status, settings } = state;
  const led = status.kind === 'registered' && status.role.kind === 'follower' ? status.role.leaderUrl : undefined;
  const next = applyLeadership(state, leadership, now, (role, intervalMs) =>
    // Somebody else was quicker, and will probe.
    role.leaderUrl === led
      ? afterRefusedClaim(role, intervalMs, now)
      : newFollower(settings, role.leaderUrl, intervalMs, now),
  );
  const { status: after } = next.state;
  const { refusals = 0 } = after.kind === 'registered' && after.role.kind === 'follower' ? after.role : {};
  return refusals === REFUSALS_TOLD
    ? { state: next.state, events: [...next.events, { event: 'claim-refused', leaderUrl: led }] }
    : next;
}

export function notLeading(state: AgentState, now: number): StepResult {
  const { status, settings } = state;
  if (status.kind === 'unregistered') return quiet(state);
  const { role, intervalMs } = status;
  if (role.kind === 'follower') {
    return quiet({ ...state, status: { ...status, role: afterRefusedClaim(role, intervalMs, now) } });
  }
  // Its own heartbeat says who leads instead.
  const follower = { ...newFollower(settings, undefined, intervalMs, now), heartbeatAt: now };
  return {
    state: { ...state, status: { ...status, role: follower } },
    events: [{ event: 'stepped-down', leaderUrl: undefined }],
  };
}

export function roundAnswered(
  state: AgentState,
  {
    startedAt,
    seen,
    leadership,
  }: { readonly startedAt: number; readonly seen: Seen; readonly leadership: LeadershipReply },
  now: number,
): StepResult {
  const { status } = state;
  if (status.kind === 'unregistered' || status.role.kind !== 'leader') return quiet(state);
  const { seen: before } = status.role;
  // Who has left meanwhile is no news.
  const members = status.role.members.filter(
    ({ id }) => leadership.members?.some((member) => member.id === id) ?? true,
  );
  const nextRoundAt = startedAt + leadership.heartbeatIntervalSeconds * 1000;
  const role: Leader = { ...status.role, seen, nextRoundAt };
  const next = applyLeadership({ ...state, status: { ...status, role } }, leadership, now, (follower) => follower);
  return { state: next.state, events: [...memberEvents(members, before, seen), ...next.events] };
}

/** Members that are seen differently from before. */
function memberEvents(members: readonly Member[], before: Seen, now: Seen): AgentEvent[] {
  return members.flatMap(({ id, url, agentUrl }): AgentEvent[] => {
    const found = now[id];
    if (found === undefined || found === before[id]) return [];
    if (found === 'never') return [{ event: 'member-unreachable', id, url, agentUrl }];
    return [{ event: found === 'up' ? 'member-up' : 'member-down', id, url }];
  });
}

/** @param isLeaveNotice the leader leaves, and will not come again */
export function probedByLeader(state: AgentState, isLeaveNotice: boolean, now: number): AgentState {
  const { status, settings } = state;
  if (status.kind === 'unregistered') return state;
  const { role, intervalMs } = status;
  // Two lead: the coordinator says which of them, at once.
  if (role.kind === 'leader') return { ...state, status: { ...status, role: { ...role, nextRoundAt: now } } };
  const follower = newFollower(settings, role.leaderUrl, intervalMs, now);
  const next = isLeaveNotice
    ? { ...follower, ...(settings.mayLead ? { claimAt: now } : { heartbeatAt: now }) }
    : follower;
  return { ...state, status: { ...status, role: next } };
}
