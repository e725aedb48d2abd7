/**
 * Where an agent stands: known to the coordinator or not, leading its cluster or following, on its way
 * out or not. `decide.ts` says what to do next in each state, `advance.ts` what an input makes of
 * it. Times are Unix ms.
 */
import type { OfferedService } from '../shared/registry/registration.ts';

export interface Settings {
  /** The leader can probe this agent. */
  readonly listens: boolean;
  /** It may lead its cluster. */
  readonly mayLead: boolean;
  /** How long running work may take to finish at the end. */
  readonly drainMs: number;
}

export interface AgentState {
  readonly settings: Settings;
  /** Local services that answer; undefined before the first look. */
  readonly offered: readonly OfferedService[] | undefined;
  readonly status: RegistrationStatus;
  readonly contact: Contact;
  readonly departure: Departure;
}

export type RegistrationStatus =
  | { readonly kind: 'unregistered' }
  | {
      readonly kind: 'registered';
      readonly id: string;
      /** As the coordinator knows them. */
      readonly services: readonly OfferedService[];
      readonly intervalMs: number;
      readonly role: Role;
    };

export type Role = Leader | Follower;

export interface Leader {
  readonly kind: 'leader';
  readonly members: readonly Member[];
  /** When it next probes them and reports. */
  readonly nextRoundAt: number;
  readonly seen: Seen;
}

export interface Member {
  readonly id: string;
  readonly url: string;
  readonly agentUrl?: string | undefined;
}

/**
 * How a leader found the members it looked for, by id. One that it never reached is not reported at
 * all: it may well live where this leader cannot see it, and then sends its own heartbeats.
 */
export type Seen = Readonly<Record<string, 'up' | 'down' | 'never'>>;

export interface Follower {
  readonly kind: 'follower';
  readonly leaderUrl: string | undefined;
  /** When it asks to lead, unless it is probed before. */
  readonly claimAt: number;
  /** When it speaks for itself, unless it is probed before. */
  readonly heartbeatAt: number;
  /** Claims refused since the last probe. */
  readonly refusals: number;
}

/** How the last words with the coordinator went. */
export type Contact =
  | { readonly kind: 'fine' }
  | { readonly kind: 'lost'; readonly since: number }
  /** It does not want this agent: a token that ended, a setting it does not accept. Asked again at `until`. */
  | { readonly kind: 'refused'; readonly reason: string; readonly until: number };

export type Departure =
  | { readonly kind: 'none' }
  /** Told to stop; asks for no more work. */
  | { readonly kind: 'asked'; readonly until: number }
  /** Running work finishes. */
  | { readonly kind: 'draining'; readonly until: number; readonly lookAt: number }
  | { readonly kind: 'drained'; readonly until: number }
  /** Nothing is left to do. */
  | { readonly kind: 'done' };

export function newAgent(settings: Settings): AgentState {
  return {
    settings,
    offered: undefined,
    status: { kind: 'unregistered' },
    contact: { kind: 'fine' },
    departure: { kind: 'none' },
  };
}

/** A follower whose leader is silent for so many intervals asks to lead itself. */
const SILENCE_INTERVALS = 1.5;
/** After a refusal: soon again, because the old leader may only just not be silent enough yet. */
const RECLAIM_INTERVALS = 0.25;

/** A follower that was just probed, or that just learnt of its leader. */
export function newFollower(
  settings: Settings,
  leaderUrl: string | undefined,
  intervalMs: number,
  now: number,
): Follower {
  const { listens, mayLead } = settings;
  const silentAt = now + SILENCE_INTERVALS * intervalMs;
  return {
    kind: 'follower',
    leaderUrl,
    claimAt: listens && mayLead ? silentAt : Number.POSITIVE_INFINITY,
    heartbeatAt: listens ? silentAt : now + intervalMs,
    refusals: 0,
  };
}

export function afterRefusedClaim(follower: Follower, intervalMs: number, now: number): Follower {
  return { ...follower, claimAt: now + RECLAIM_INTERVALS * intervalMs, refusals: follower.refusals + 1 };
}
