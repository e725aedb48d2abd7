/**
 * What a happening makes of an agent's state, and what there is to tell about it. Pure; exhaustive
 * over the happenings.
 */
import type { OfferedService } from '../shared/registry/registration.ts';
import type { AgentEvent } from './event.ts';
import {
  type Aftermath,
  claimAnswered,
  notLeading,
  quiet,
  roundAnswered,
  visited,
  type Word,
  wordHeard,
} from './role.ts';
import { type AgentState, newFollower, type Seen, type Standing } from './state.ts';

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
  | { readonly is: 'visited'; readonly isFarewell: boolean }
  | { readonly is: 'unreachable'; readonly reason: string }
  | { readonly is: 'refused'; readonly reason: string }
  | { readonly is: 'told-to-stop' }
  | { readonly is: 'drain-answered'; readonly drained: boolean }
  | { readonly is: 'removed' };

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
        wordHeard(heard, happening.word, now, (role, intervalMs) => ({ ...role, heartbeatAt: now + intervalMs })),
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
      return quiet(visited(state, happening.isFarewell, now));
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
  const { state: next, events } = wordHeard({ ...state, standing: known }, word, now, (follower) => follower);
  const names = services.map(({ name }) => name);
  const told: AgentEvent[] = [{ event: isNew ? 'registered' : 'updated', id, services: names }, ...events];
  return { state: next, events: inMaintenance ? [...told, { event: 'in-maintenance', id }] : told };
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

function drainAnswered(state: AgentState, drained: boolean, now: number): Aftermath {
  const { departure } = state;
  if (departure.is !== 'asked' && departure.is !== 'draining') return quiet(state);
  const { until } = departure;
  if (drained) return { state: { ...state, departure: { is: 'drained', until } }, events: [{ event: 'drained' }] };
  return quiet({ ...state, departure: { is: 'draining', until, lookAt: now + DRAIN_LOOK_MS } });
}
