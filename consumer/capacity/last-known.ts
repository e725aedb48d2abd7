/**
 * The servers of the registry's last answers, in the isolate's memory, for when it does not answer: a
 * call then goes to one of them at random. Plain data: losing it costs a few seconds of waiting.
 * Clock and dice handed in.
 */
import { meetsWishes, type ServerAddress } from '../../shared/registry/routing.ts';
import type { ServerWishes } from '../../shared/task/server-wishes.ts';

/** Servers come and go: what was heard so long ago says nothing of now. */
const MAX_AGE_MS = 3_600_000;

interface Heard {
  readonly servers: readonly ServerAddress[];
  readonly at: number;
}

export class LastKnownServers {
  readonly #services = new Map<string, Heard>();

  /** @param servers by service, all that take calls now; none is news too */
  note(servers: Readonly<Record<string, readonly ServerAddress[]>>, now: number): void {
    for (const [service, addresses] of Object.entries(servers)) {
      this.#services.set(service, { servers: addresses, at: now });
    }
  }

  /** One at random for the call, and others for failover; none when none is known. */
  pick(service: string, wishes: ServerWishes | undefined, now: number, random: () => number): ServerAddress[] {
    const heard = this.#services.get(service);
    if (heard === undefined || now - heard.at > MAX_AGE_MS) return [];
    const fitting = heard.servers.filter((server) => meetsWishes(server, wishes));
    const first = fitting[Math.floor(random() * fitting.length)];
    return first === undefined ? [] : [first, ...othersOf(fitting, first, wishes, random)];
  }
}

/** As many as quick retries can use. */
const MAX_OTHERS = 2;

/** Servers beside the one that a call was given, at random, which may take it when that one cannot be reached. */
export function othersOf(
  servers: readonly ServerAddress[],
  chosen: Pick<ServerAddress, 'id'>,
  wishes: ServerWishes | undefined,
  random: () => number,
): ServerAddress[] {
  const start = Math.floor(random() * servers.length);
  const others: ServerAddress[] = [];
  for (let offset = 0; offset < servers.length && others.length < MAX_OTHERS; offset++) {
    const server = servers[(start + offset) % servers.length];
    if (server !== undefined && server.id !== chosen.id && meetsWishes(server, wishes)) others.push(server);
  }
  return others;
}
