/** What an agent does next: a function of its state and the time. Pure. */
import type { OfferedService } from '../shared/registry/registration.ts';
import { sameServices } from './sighting.ts';
import type { AgentState, Departure, Member, Role, Seen, Standing } from './state.ts';

export type Action =
  /** Also when it is known already: the coordinator knows a server by its URL. */
  | { readonly is: 'register'; readonly services: readonly OfferedService[] }
  | { readonly is: 'heartbeat'; readonly id: string }
  | { readonly is: 'claim'; readonly id: string }
  /** Visit the members, then tell the coordinator. */
  | { readonly is: 'lead'; readonly id: string; readonly members: readonly Member[]; readonly seen: Seen }
  | { readonly is: 'drain'; readonly id: string }
  | { readonly is: 'look-drained'; readonly id: string }
  /** Deregister, then tell those whom it led. */
  | { readonly is: 'remove'; readonly id: string; readonly members: readonly Member[] }
  | { readonly is: 'stop' }
  /** Infinity: until something happens. */
  | { readonly is: 'wait'; readonly until: number };

type Leaving = Exclude<Departure, { is: 'none' }>;
type Registered = Extract<Standing, { is: 'registered' }>;

export function nextAction(state: AgentState, now: number): Action {
  const { standing, departure, contact, offered } = state;
  if (departure.is !== 'none') return actionOfDeparture(state, departure, now);
  if (contact.is === 'refused' && now < contact.until) return { is: 'wait', until: contact.until };
  if (offered === undefined) return { is: 'wait', until: Number.POSITIVE_INFINITY };
  if (standing.is === 'unregistered') return { is: 'register', services: offered };
  if (!sameServices(offered, standing.services)) return { is: 'register', services: offered };
  // A follower would not notice that it is back, and a leader must not visit: who is visited relies on
  // a report that does not get through, and does not take over.
  if (contact.is === 'lost') return { is: 'heartbeat', id: standing.id };
  return actionOfRole(standing, standing.role, now);
}

function actionOfRole({ id, services }: Registered, role: Role, now: number): Action {
  if (role.is === 'leader') {
    if (now < role.nextRoundAt) return { is: 'wait', until: role.nextRoundAt };
    return { is: 'lead', id, members: role.members, seen: role.seen };
  }
  // Who offers nothing cannot lead.
  const claimAt = services.length === 0 ? Number.POSITIVE_INFINITY : role.claimAt;
  if (now >= claimAt) return { is: 'claim', id };
  if (now >= role.heartbeatAt) return { is: 'heartbeat', id };
  return { is: 'wait', until: Math.min(claimAt, role.heartbeatAt) };
}

/** Heartbeats and the cluster go on until running work has finished; nobody leaves as the new leader. */
function actionOfDeparture(state: AgentState, departure: Leaving, now: number): Action {
  const { standing, contact } = state;
  if (departure.is === 'done' || standing.is === 'unregistered' || contact.is === 'refused') return { is: 'stop' };
  const { id, role } = standing;
  if (contact.is === 'lost' && now >= departure.until) return { is: 'stop' };
  if (departure.is === 'drained' || now >= departure.until)
    return { is: 'remove', id, members: role.is === 'leader' ? role.members : [] };
  if (departure.is === 'asked') return { is: 'drain', id };
  const onward = role.is === 'leader' ? role : { ...role, claimAt: Number.POSITIVE_INFINITY };
  const action = actionOfRole(standing, onward, now);
  if (action.is !== 'wait') return action;
  if (now >= departure.lookAt) return { is: 'look-drained', id };
  return { is: 'wait', until: Math.min(action.until, departure.lookAt, departure.until) };
}
