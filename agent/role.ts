/**
 * Leading and following: what the coordinator's word on who leads, a visit and a round of visits make
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
  type Role,
  type Seen,
  type Standing,
} from './state.ts';

export interface Aftermath {
  readonly state: AgentState;
  readonly events: readonly AgentEvent[];
}

/** A dead leader still leads for the first claims; one that lives and does not visit is worth a line. */
const REFUSALS_TOLD = 3;

/** What the coordinator says of who leads. */
export interface Word {
  readonly heartbeatIntervalSeconds: number;
  readonly isHeartbeatLeader: boolean;
  readonly heartbeatLeaderUrl?: string | null | undefined;
  /** For the leader: whom to look after. Absent in the answer to a registration. */
  readonly members?: readonly Member[] | undefined;
}

export function quiet(state: AgentState): Aftermath {
  return { state, events: [] };
}

/**
 * Takes the coordinator's word on who leads.
 * @param asFollower what the answer makes of a follower that stays one
 */
export function wordHeard(
  state: AgentState,
  word: Word,
  now: number,
  asFollower: (follower: Follower, intervalMs: number) => Follower,
): Aftermath {
  const { standing, settings } = state;
  if (standing.is === 'unregistered') return quiet(state);
  const intervalMs = word.heartbeatIntervalSeconds * 1000;
  const { role, events } = roleAfter(standing, word, () => {
    const leaderUrl = word.heartbeatLeaderUrl ?? undefined;
    if (standing.role.is === 'follower') return asFollower({ ...standing.role, leaderUrl }, intervalMs);
    return newFollower(settings, leaderUrl, intervalMs, now);
  });
  const isNewLeader = role.is === 'leader' && standing.role.is === 'follower';
  const prompt = isNewLeader || hasUnvisited(role) ? { ...role, nextRoundAt: now } : role;
  return { state: { ...state, standing: { ...standing, intervalMs, role: prompt } }, events };
}

/** A new leader, and one with new members, looks after them at once: they wait for it. */
function hasUnvisited(role: Role): role is Leader {
  return role.is === 'leader' && role.members.some(({ id, agentUrl }) => agentUrl && role.seen[id] === undefined);
}

function roleAfter(
  { role, id }: Extract<Standing, { is: 'registered' }>,
  word: Word,
  follower: () => Follower,
): { readonly role: Role; readonly events: readonly AgentEvent[] } {
  if (word.isHeartbeatLeader) {
    const members = word.members?.filter((member) => member.id !== id);
    if (role.is === 'leader') return { role: { ...role, members: members ?? role.members }, events: [] };
    const leader: Leader = { is: 'leader', members: members ?? [], nextRoundAt: 0, seen: {} };
    return { role: leader, events: [{ event: 'leading', members: leader.members.length }] };
  }
  const next = follower();
  const { leaderUrl } = next;
  if (role.is === 'leader') return { role: next, events: [{ event: 'stepped-down', leaderUrl }] };
  const isNews = leaderUrl !== undefined && leaderUrl !== role.leaderUrl;
  return { role: next, events: isNews ? [{ event: 'following', leaderUrl }] : [] };
}

export function claimAnswered(state: AgentState, word: Word, now: number): Aftermath {
  const { standing, settings } = state;
  const led = standing.is === 'registered' && standing.role.is === 'follower' ? standing.role.leaderUrl : undefined;
  const next = wordHeard(state, word, now, (role, intervalMs) =>
    // Somebody else was quicker, and will visit.
    role.leaderUrl === led
      ? afterRefusedClaim(role, intervalMs, now)
      : newFollower(settings, role.leaderUrl, intervalMs, now),
  );
  const { standing: after } = next.state;
  const { refusals = 0 } = after.is === 'registered' && after.role.is === 'follower' ? after.role : {};
  return refusals === REFUSALS_TOLD
    ? { state: next.state, events: [...next.events, { event: 'claim-refused', leaderUrl: led }] }
    : next;
}

export function notLeading(state: AgentState, now: number): Aftermath {
  const { standing, settings } = state;
  if (standing.is === 'unregistered') return quiet(state);
  const { role, intervalMs } = standing;
  if (role.is === 'follower') {
    return quiet({ ...state, standing: { ...standing, role: afterRefusedClaim(role, intervalMs, now) } });
  }
  // Its own heartbeat says who leads instead.
  const follower = { ...newFollower(settings, undefined, intervalMs, now), heartbeatAt: now };
  return {
    state: { ...state, standing: { ...standing, role: follower } },
    events: [{ event: 'stepped-down', leaderUrl: undefined }],
  };
}

export function roundAnswered(
  state: AgentState,
  { startedAt, seen, word }: { readonly startedAt: number; readonly seen: Seen; readonly word: Word },
  now: number,
): Aftermath {
  const { standing } = state;
  if (standing.is === 'unregistered' || standing.role.is !== 'leader') return quiet(state);
  const { seen: before } = standing.role;
  // Who has left meanwhile is no news.
  const members = standing.role.members.filter(({ id }) => word.members?.some((member) => member.id === id) ?? true);
  const nextRoundAt = startedAt + word.heartbeatIntervalSeconds * 1000;
  const role: Leader = { ...standing.role, seen, nextRoundAt };
  const next = wordHeard({ ...state, standing: { ...standing, role } }, word, now, (follower) => follower);
  return { state: next.state, events: [...memberEvents(members, before, seen), ...next.events] };
}

/** Members that are seen differently from before. */
function memberEvents(members: readonly Member[], before: Seen, now: Seen): AgentEvent[] {
  return members.flatMap(({ id, url, agentUrl }): AgentEvent[] => {
    const found = now[id];
    if (found === undefined || found === before[id]) return [];
    if (found === 'never') return [{ event: 'member-unreached', id, url, agentUrl }];
    return [{ event: found === 'up' ? 'member-up' : 'member-down', id, url }];
  });
}

/** @param isFarewell the leader leaves, and will not come again */
export function visited(state: AgentState, isFarewell: boolean, now: number): AgentState {
  const { standing, settings } = state;
  if (standing.is === 'unregistered') return state;
  const { role, intervalMs } = standing;
  // Two lead: the coordinator says which of them, at once.
  if (role.is === 'leader') return { ...state, standing: { ...standing, role: { ...role, nextRoundAt: now } } };
  const follower = newFollower(settings, role.leaderUrl, intervalMs, now);
  const next = isFarewell ? { ...follower, ...(settings.mayLead ? { claimAt: now } : { heartbeatAt: now }) } : follower;
  return { ...state, standing: { ...standing, role: next } };
}
