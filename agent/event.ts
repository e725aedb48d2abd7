/** What the agent tells: one line per event, for a person or, with `--json`, for a machine. Pure. */

export type AgentEvent =
  | {
      readonly event: 'started';
      readonly coordinator: string;
      readonly url: string;
      readonly agentUrl: string | undefined;
    }
  | { readonly event: 'service-up'; readonly name: string; readonly version: string | undefined }
  | {
      readonly event: 'service-changed';
      readonly name: string;
      readonly version: string | undefined;
      readonly from: string | undefined;
    }
  | { readonly event: 'service-down'; readonly name: string; readonly why: string }
  /** Configured, and not there at the start. */
  | { readonly event: 'service-absent'; readonly name: string; readonly why: string }
  | { readonly event: 'registered' | 'updated'; readonly id: string; readonly services: readonly string[] }
  | { readonly event: 'in-maintenance'; readonly id: string }
  | { readonly event: 'leading'; readonly members: number }
  | { readonly event: 'following'; readonly leaderUrl: string }
  | { readonly event: 'stepped-down'; readonly leaderUrl: string | undefined }
  | { readonly event: 'claim-refused'; readonly leaderUrl: string | undefined }
  | { readonly event: 'member-up' | 'member-down'; readonly id: string; readonly url: string }
  | {
      readonly event: 'member-unreachable';
      readonly id: string;
      readonly url: string;
      readonly agentUrl: string | undefined;
    }
  | { readonly event: 'coordinator-lost'; readonly reason: string }
  | { readonly event: 'coordinator-back'; readonly afterSeconds: number }
  | { readonly event: 'forgotten' }
  | { readonly event: 'refused'; readonly reason: string; readonly againInSeconds: number }
  | { readonly event: 'stopping'; readonly drainSeconds: number }
  | { readonly event: 'drained' }
  | { readonly event: 'deregistered' }
  | { readonly event: 'stopped'; readonly registered: boolean };

const WARNINGS: ReadonlySet<AgentEvent['event']> = new Set([
  'service-down',
  'service-absent',
  'in-maintenance',
  'claim-refused',
  'member-down',
  'member-unreachable',
  'coordinator-lost',
  'forgotten',
  'refused',
]);

export function jsonLine(event: AgentEvent, now: number): string {
  const level = WARNINGS.has(event.event) ? 'warn' : 'info';
  return JSON.stringify({ at: new Date(now).toISOString(), level, ...event });
}

export function textLine(event: AgentEvent, now: number): string {
  return `${new Date(now).toISOString().slice(11, 19)} ${WARNINGS.has(event.event) ? '!' : ' '} ${describe(event)}`;
}

function describe(event: AgentEvent): string {
  switch (event.event) {
    case 'started':
      return `agent of ${event.url} for ${event.coordinator}${event.agentUrl === undefined ? '' : `, probed at ${event.agentUrl}`}`;
    case 'service-up':
      return `${versioned(event.name, event.version)} answers`;
    case 'service-changed':
      return `${event.name} is now ${event.version ?? 'of unknown version'}, it was ${event.from ?? 'of unknown version'}`;
    case 'service-down':
      return `${event.name} is gone: ${event.why}`;
    case 'service-absent':
      return `${event.name} does not answer yet: ${event.why}`;
    case 'registered':
      return `registered as ${event.id} with ${servicesText(event.services)}`;
    case 'updated':
      return `registered again with ${servicesText(event.services)}`;
    case 'in-maintenance':
      return `the server is in maintenance and gets no work; POST /api/servers/${event.id}/maintenance { "enabled": false } ends it`;
    case 'leading':
      return `leads the cluster; looks after ${event.members} other${event.members === 1 ? '' : 's'}`;
    case 'following':
      return `follows ${event.leaderUrl}`;
    case 'stepped-down':
      return event.leaderUrl === undefined ? 'no longer leads' : `no longer leads; follows ${event.leaderUrl}`;
    case 'claim-refused':
      return `the leader ${event.leaderUrl ?? 'of the cluster'} does not probe, and still leads; sends heartbeats of its own`;
    case 'member-up':
      return `member ${event.id} at ${event.url} is up`;
    case 'member-down':
      return `member ${event.id} at ${event.url} is down`;
    case 'member-unreachable':
      return `member ${event.id} at ${event.url} cannot be reached at ${event.agentUrl}: not reported; it speaks for itself`;
    case 'coordinator-lost':
      return `the coordinator is lost: ${event.reason}; tries again until it is back`;
    case 'coordinator-back':
      return `the coordinator is back after ${event.afterSeconds.toFixed(1)} s`;
    case 'forgotten':
      return 'the coordinator does not know this server any more; registers again';
    case 'refused':
      return `the coordinator refuses: ${event.reason}; asks again in ${event.againInSeconds} s`;
    case 'stopping':
      return `stops: takes no more work, and waits up to ${event.drainSeconds} s for what runs; a second signal does not wait`;
    case 'drained':
      return 'running work has finished';
    case 'deregistered':
      return 'deregistered';
    case 'stopped':
      return event.registered ? 'stopped; the coordinator could not be told' : 'stopped';
  }
}

function versioned(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name} ${version}`;
}

function servicesText(services: readonly string[]): string {
  return services.length === 0 ? 'no service' : services.join(', ');
}
