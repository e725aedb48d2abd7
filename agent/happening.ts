/**
 * What a happening makes of an agent's state, and what there is to tell about it. Pure; exhaustive
 * over the happenings.
 */
import type { OfferedService } from '../shared/registry/registration.ts';
import { sameServices } from './decide.ts';
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

/** What the coordinator says of who leads. */
export interface Word {
  readonly heartbeatIntervalSeconds: number;
  readonly isHeartbeatLeader: boolean;
  readonly heartbeatLeaderUrl?: string | null | undefined;
  /** For the leader: whom to look after. Absent in the answer to a registration. */
  readonly members?: readonly Member[] | undefined;
}

export type Happening =
  | { readonly is: 'looked'; readonly offered: readonly OfferedService[] }
  | {
      readonly is: 'registered';
      readonly id: string;
      readonly services: readonly OfferedService[];
      readonly word: Word;
      /** It was taken out of use before this agent came. */
      readonly inMaintenance: boolean;
    }
  | { readonly is: 'heartbeat-answered'; readonly word: Word }
  | { readonly is: 'claim-answered'; readonly word: Word }
  | { readonly is: 'round-answered'; readonly startedAt: number; readonly seen: Seen; readonly word: Word }
  /** The coordinator does not know this server any more. */
  | { readonly is: 'forgotten' }
  /** A leader's report, or a claim, was not wanted: another one leads. */
  | { readonly is: 'not-leading' }
  /** By the leader of the cluster. */
  | { readonly is: 'visited' }
  | { readonly is: 'unreachable'; readonly reason: string }
  | { readonly is: 'refused'; readonly reason: string }
  | { readonly is: 'told-to-stop' }
  | { readonly is: 'drain-answered'; readonly drained: boolean }
  | { readonly is: 'removed' };

export interface Aftermath {
  readonly state: AgentState;
  readonly events: readonly AgentEvent[];
}

/** A refusal does not mend itself in seconds. */
const AFTER_REFUSAL_MS = 30_000;
/** How long an agent that leaves tries to reach a coordinator that does not answer. */
const FAREWELL_MS = 2_000;
/** Between two looks at whether running work has finished. */
const DRAIN_LOOK_MS = 500;

export function advance(state: AgentState, happening: Happening, now: number): Aftermath {
  const { departure, settings } = state;
  switch (happening.is) {
    case 'looked':
      return { state: { ...state, offered: happening.offered }, events: [] };
    case 'registered':
      return answered(state, now, (heard) => registered(heard, happening, now));
    case 'heartbeat-answered':
      return answered(state, now, (heard) =>
        withWord(heard, happening.word, now, (role, intervalMs) => ({ ...role, heartbeatAt: now + intervalMs })),
      );
    case 'claim-answered':
      return answered(state, now, (heard) => claimAnswered(heard, happening.word, now));
    case 'round-answered':
      return answered(state, now, (heard) => roundAnswered(heard, happening, now));
    case 'forgotten':
      return answered(state, now, (heard) => forgotten(heard));
    case 'not-leading':
      return answered(state, now, (heard) => notLeading(heard, now));
    case 'visited':
      return quiet(visited(state, now));
    case 'unreachable':
      return unreachable(state, happening.reason, now);
    case 'refused': {
      const { reason } = happening;
      const isNews = state.contact.is !== 'refused' || state.contact.reason !== reason;
      return {
        state: { ...state, contact: { is: 'refused', reason, until: now + AFTER_REFUSAL_MS } },
        events: isNews ? [{ event: 'refused', reason, againInSeconds: AFTER_REFUSAL_MS / 1000 }] : [],
      };
    }
    case 'told-to-stop':
      if (departure.is !== 'none') return quiet(state);
      return {
        state: { ...state, departure: { is: 'asked', until: now + settings.drainMs } },
        events: [{ event: 'stopping', drainSeconds: settings.drainMs / 1000 }],
      };
    case 'drain-answered':
      return answered(state, now, (heard) => drainAnswered(heard, happening.drained, now));
    case 'removed':
      return answered(state, now, (heard) => ({
        state: { ...heard, standing: { is: 'unregistered' }, departure: { is: 'done' } },
        events: [{ event: 'deregistered' }],
      }));
  }
}

function quiet(state: AgentState): Aftermath {
  return { state, events: [] };
}

/** Any answer means that the coordinator is there. */
function answered(state: AgentState, now: number, then: (state: AgentState) => Aftermath): Aftermath {
  const { contact } = state;
  const { state: next, events } = then({ ...state, contact: { is: 'fine' } });
  if (contact.is !== 'lost') return { state: next, events };
  return {
    state: next,
    events: [{ event: 'coordinator-back', afterSeconds: (now - contact.since) / 1000 }, ...events],
  };
}

function registered(
  state: AgentState,
  { id, services, word, inMaintenance }: Extract<Happening, { is: 'registered' }>,
  now: number,
): Aftermath {
  const { standing, settings } = state;
  const intervalMs = word.heartbeatIntervalSeconds * 1000;
  const isNew = standing.is === 'unregistered' || standing.id !== id;
  const role = isNew ? newFollower(settings, undefined, intervalMs, now) : standing.role;
  const known: Standing = { is: 'registered', id, services, intervalMs, role };
  const { state: next, events } = withWord({ ...state, standing: known }, word, now, (follower) => follower);
  const names = services.map(({ name }) => name);
  const told: AgentEvent[] = [{ event: isNew ? 'registered' : 'updated', id, services: names }, ...events];
  return { state: next, events: inMaintenance ? [...told, { event: 'in-maintenance', id }] : told };
}

/**
 * Takes the coordinator's word on who leads.
 * @param asFollower what the answer makes of a follower that stays one
 */
function withWord(
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
  // A new leader looks after its cluster at once.
  const prompt = role.is === 'leader' && standing.role.is === 'follower' ? { ...role, nextRoundAt: now } : role;
  return { state: { ...state, standing: { ...standing, intervalMs, role: prompt } }, events };
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

function claimAnswered(state: AgentState, word: Word, now: number): Aftermath {
  const next = withWord(state, word, now, (role, intervalMs) => afterRefusedClaim(role, intervalMs, now));
  const { standing } = next.state;
  const isFirst = standing.is === 'registered' && standing.role.is === 'follower' && standing.role.refusals === 1;
  return isFirst
    ? { state: next.state, events: [...next.events, { event: 'claim-refused', leaderUrl: standing.role.leaderUrl }] }
    : next;
}

function notLeading(state: AgentState, now: number): Aftermath {
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

function roundAnswered(
  state: AgentState,
  { startedAt, seen, word }: Extract<Happening, { is: 'round-answered' }>,
  now: number,
): Aftermath {
  const { standing } = state;
  if (standing.is === 'unregistered' || standing.role.is !== 'leader') return quiet(state);
  const { members, seen: before } = standing.role;
  const nextRoundAt = startedAt + word.heartbeatIntervalSeconds * 1000;
  const role: Leader = { ...standing.role, seen, nextRoundAt };
  const next = withWord({ ...state, standing: { ...standing, role } }, word, now, (follower) => follower);
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

function unreachable(state: AgentState, reason: string, now: number): Aftermath {
  const { contact, departure } = state;
  // Nobody sends work that could be drained, as far as can be told: no need to wait for its end.
  const hastened =
    'until' in departure ? { ...departure, until: Math.min(departure.until, now + FAREWELL_MS) } : departure;
  if (contact.is === 'lost') return quiet({ ...state, departure: hastened });
  return {
    state: { ...state, contact: { is: 'lost', since: now }, departure: hastened },
    events: [{ event: 'coordinator-lost', reason }],
  };
}

function forgotten(state: AgentState): Aftermath {
  if (state.standing.is === 'unregistered') return quiet(state);
  return { state: { ...state, standing: { is: 'unregistered' } }, events: [{ event: 'forgotten' }] };
}

function visited(state: AgentState, now: number): AgentState {
  const { standing, settings } = state;
  if (standing.is === 'unregistered') return state;
  const { role, intervalMs } = standing;
  // Two lead: the coordinator says which of them, at once.
  if (role.is === 'leader') return { ...state, standing: { ...standing, role: { ...role, nextRoundAt: now } } };
  return { ...state, standing: { ...standing, role: newFollower(settings, role.leaderUrl, intervalMs, now) } };
}

function drainAnswered(state: AgentState, drained: boolean, now: number): Aftermath {
  const { departure } = state;
  if (departure.is !== 'asked' && departure.is !== 'draining') return quiet(state);
  const { until } = departure;
  if (drained) return { state: { ...state, departure: { is: 'drained', until } }, events: [{ event: 'drained' }] };
  return quiet({ ...state, departure: { is: 'draining', until, lookAt: now + DRAIN_LOOK_MS } });
}

/** What a look at the local services changed. */
export function serviceEvents(
  before: readonly OfferedService[],
  now: readonly OfferedService[],
  why: (name: string) => string,
): AgentEvent[] {
  const one = (all: readonly OfferedService[], name: string) => all.find((each) => each.name === name);
  const came = now.flatMap((service): AgentEvent[] => {
    const { name, version } = service;
    const known = one(before, name);
    if (known === undefined) return [{ event: 'service-up', name, version }];
    return sameServices([known], [service]) ? [] : [{ event: 'service-changed', name, version, from: known.version }];
  });
  const went = before
    .filter(({ name }) => one(now, name) === undefined)
    .map(({ name }): AgentEvent => ({ event: 'service-down', name, why: why(name) }));
  return [...came, ...went];
}
