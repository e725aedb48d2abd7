/** What an agent does next: a function of its state and the time. Pure. */
import type { OfferedService } from '../shared/registry/registration.ts';
import { sameServices } from './probe-result.ts';
import type { AgentState, Departure, Member, RegistrationStatus, Role, Seen } from './state.ts';

export type Action =
  /** Also when it is known already: the coordinator knows a server by its URL. */
  | { readonly kind: 'register'; readonly services: readonly OfferedService[] }
  | { readonly kind: 'heartbeat'; readonly id: string }
  | { readonly kind: 'claim'; readonly id: string }
  /** Probe the members, then tell the coordinator. */
  | { readonly kind: 'lead'; readonly id: string; readonly members: readonly Member[]; readonly seen: Seen }
  | { readonly kind: 'drain'; readonly id: string }
  | { readonly kind: 'look-drained'; readonly id: string }
  /** Deregister, then tell those whom it led. */
  | { readonly kind: 'remove'; readonly id: string; readonly members: readonly Member[] }
  | { readonly kind: 'stop' }
  /** Infinity: until something happens. */
  | { readonly kind: 'wait'; readonly until: number };

type Leaving = Exclude<Departure, { kind: 'none' }>;
type Registered = Extract<RegistrationStatus, { kind: 'registered' }>;

export function nextAction(state: AgentState, now: number): Action {
  const { status, departure, contact, offered } = state;
  if (departure.kind !== 'none') return actionOfDeparture(state, departure, now);
  if (contact.kind === 'refused' && now < contact.until) return { kind: 'wait', until: contact.until };
  if (offered === undefined) return { kind: 'wait', until: Number.POSITIVE_INFINITY };
  if (status.kind === 'unregistered') return { kind: 'register', services: offered };
  if (!sameServices(offered, status.services)) return { kind: 'register', services: offered };
  // A follower would not notice that it is back, and a leader must not probe: who is probed relies on
  // a report that does not get through, and does not take over.
  if (contact.kind === 'lost') return { kind: 'heartbeat', id: status.id };
  return actionOfRole(status, status.role, now);
}

function actionOfRole({ id, services }: Registered, role: Role, now: number): Action {
  if (role.kind === 'leader') {
    if (now < role.nextRoundAt) return { kind: 'wait', until: role.nextRoundAt };
    return { kind: 'lead', id, members: role.members, seen: role.seen };
  }
  // Who offers nothing cannot lead.
  const claimAt = services.length === 0 ? Number.POSITIVE_INFINITY : role.claimAt;
  if (now >= claimAt) return { kind: 'claim', id };
  if (now >= role.heartbeatAt) return { kind: 'heartbeat', id };
  return { kind: 'wait', until: Math.min(claimAt, role.heartbeatAt) };
}

/** Heartbeats and the cluster go on until running work has finished; nobody leaves as the new leader. */
function actionOfDeparture(state: AgentState, departure: Leaving, now: number): Action {
  const { status, contact } = state;
  if (departure.kind === 'done' || status.kind === 'unregistered' || contact.kind === 'refused')
    return { kind: 'stop' };
  const { id, role } = status;
  if (contact.kind === 'lost' && now >= departure.until) return { kind: 'stop' };
  if (departure.kind === 'drained' || now >= departure.until)
    return { kind: 'remove', id, members: role.kind === 'leader' ? role.members : [] };
  if (departure.kind === 'asked') return { kind: 'drain', id };
  const onward = role.kind === 'leader' ? role : { ...role, claimAt: Number.POSITIVE_INFINITY };
  const action = actionOfRole(status, onward, now);
  if (action.kind !== 'wait') return action;
  if (now >= departure.lookAt) return { kind: 'look-drained', id };
  return { kind: 'wait', until: Math.min(action.until, departure.lookAt, departure.until) };
}
