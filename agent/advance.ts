/**
 * What an input makes of an agent's state, and what there is to tell about it. Pure; exhaustive
 * over the inputs.
 */
import type { OfferedService } from '../shared/registry/registration.ts';
import type { AgentEvent } from './event.ts';
import {
  applyLeadership,
  claimAnswered,
  type LeadershipReply,
  notLeading,
  probedByLeader,
  quiet,
  roundAnswered,
  type StepResult,
} from './role.ts';
import { type AgentState, newFollower, type RegistrationStatus, type Seen } from './state.ts';

export type Input =
  | { readonly kind: 'services-probed'; readonly offered: readonly OfferedService[] }
  | {
      readonly kind: 'registered';
      readonly id: string;
      readonly services: readonly OfferedService[];
      readonly leadership: LeadershipReply;
      /** It was taken out of use before this agent came. */
      readonly inMaintenance: boolean;
    }
  | { readonly kind: 'heartbeat-answered'; readonly leadership: LeadershipReply }
  | { readonly kind: 'claim-answered'; readonly leadership: LeadershipReply }
  | {
      readonly kind: 'round-answered';
      readonly startedAt: number;
      readonly seen: Seen;
      readonly leadership: LeadershipReply;
    }
  /** The coordinator does not know this server any more. */
  | { readonly kind: 'forgotten' }
  /** A leader's report, or a claim, was not wanted: another one leads. */
  | { readonly kind: 'not-leading' }
  /** By the leader of the cluster. */
  | { readonly kind: 'probed-by-leader'; readonly isLeaveNotice: boolean }
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'told-to-stop' }
  | { readonly kind: 'drain-answered'; readonly drained: boolean }
  | { readonly kind: 'removed' };

/** A refusal does not mend itself in seconds. */
const AFTER_REFUSAL_MS = 30_000;
/** How long an agent that leaves tries to reach a coordinator that does not answer. */
const LEAVING_MS = 2_000;
/** Between two looks at whether running work has finished. */
const DRAIN_LOOK_MS = 500;

export function advance(state: AgentState, input: Input, now: number): StepResult {
  const { departure, settings } = state;
  switch (input.kind) {
    case 'services-probed':
      return { state: { ...state, offered: input.offered }, events: [] };
    case 'registered':
      return answered(state, now, (current) => registered(current, input, now));
    case 'heartbeat-answered':
      return answered(state, now, (current) =>
        applyLeadership(current, input.leadership, now, (role, intervalMs) => ({
          ...role,
          heartbeatAt: now + intervalMs,
        })),
      );
    case 'claim-answered':
      return answered(state, now, (current) => claimAnswered(current, input.leadership, now));
    case 'round-answered':
      return answered(state, now, (current) => roundAnswered(current, input, now));
    case 'forgotten':
      return answered(state, now, (current) => forgotten(current));
    case 'not-leading':
      return answered(state, now, (current) => notLeading(current, now));
    case 'probed-by-leader':
      return quiet(probedByLeader(state, input.isLeaveNotice, now));
    case 'unreachable':
      return unreachable(state, input.reason, now);
    case 'refused': {
      const { reason } = input;
      const isNews = state.contact.kind !== 'refused' || state.contact.reason !== reason;
      return {
        state: { ...state, contact: { kind: 'refused', reason, until: now + AFTER_REFUSAL_MS } },
        events: isNews ? [{ event: 'refused', reason, againInSeconds: AFTER_REFUSAL_MS / 1000 }] : [],
      };
    }
    case 'told-to-stop':
      if (departure.kind !== 'none') return quiet(state);
      return {
        state: { ...state, departure: { kind: 'asked', until: now + settings.drainMs } },
        events: [{ event: 'stopping', drainSeconds: settings.drainMs / 1000 }],
      };
    case 'drain-answered':
      return answered(state, now, (current) => drainAnswered(current, input.drained, now));
    case 'removed':
      return answered(state, now, (current) => ({
        state: { ...current, status: { kind: 'unregistered' }, departure: { kind: 'done' } },
        events: [{ event: 'deregistered' }],
      }));
  }
}

/** Any answer means that the coordinator is there. */
function answered(state: AgentState, now: number, then: (state: AgentState) => StepResult): StepResult {
  const { contact } = state;
  const { state: next, events } = then({ ...state, contact: { kind: 'fine' } });
  if (contact.kind !== 'lost') return { state: next, events };
  return {
    state: next,
    events: [{ event: 'coordinator-back', afterSeconds: (now - contact.since) / 1000 }, ...events],
  };
}

function registered(
  state: AgentState,
  { id, services, leadership, inMaintenance }: Extract<Input, { kind: 'registered' }>,
  now: number,
): StepResult {
  const { status, settings } = state;
  const intervalMs = leadership.heartbeatIntervalSeconds * 1000;
  const isNew = status.kind === 'unregistered' || status.id !== id;
  const role = isNew ? newFollower(settings, undefined, intervalMs, now) : status.role;
  const known: RegistrationStatus = { kind: 'registered', id, services, intervalMs, role };
  const { state: next, events } = applyLeadership({ ...state, status: known }, leadership, now, (follower) => follower);
  const names = services.map(({ name }) => name);
  const told: AgentEvent[] = [{ event: isNew ? 'registered' : 'updated', id, services: names }, ...events];
  return { state: next, events: inMaintenance ? [...told, { event: 'in-maintenance', id }] : told };
}

function unreachable(state: AgentState, reason: string, now: number): StepResult {
  const { contact, departure } = state;
  // Nobody sends work that could be drained, as far as can be told: no need to wait for its end.
  const hastened =
    'until' in departure ? { ...departure, until: Math.min(departure.until, now + LEAVING_MS) } : departure;
  if (contact.kind === 'lost') return quiet({ ...state, departure: hastened });
  return {
    state: { ...state, contact: { kind: 'lost', since: now }, departure: hastened },
    events: [{ event: 'coordinator-lost', reason }],
  };
}

function forgotten(state: AgentState): StepResult {
  if (state.status.kind === 'unregistered') return quiet(state);
  return { state: { ...state, status: { kind: 'unregistered' } }, events: [{ event: 'forgotten' }] };
}

function drainAnswered(state: AgentState, drained: boolean, now: number): StepResult {
  const { departure } = state;
  if (departure.kind !== 'asked' && departure.kind !== 'draining') return quiet(state);
  const { until } = departure;
  if (drained) return { state: { ...state, departure: { kind: 'drained', until } }, events: [{ event: 'drained' }] };
  return quiet({ ...state, departure: { kind: 'draining', until, lookAt: now + DRAIN_LOOK_MS } });
}
