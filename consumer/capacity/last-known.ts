/**
 * What the registry's last answers said of lines, and their servers, in the isolate's memory, for when it does not answer: a
 * call then goes to one of them at random. Plain data: losing it costs a few seconds of waiting.
 * Clock and dice handed in.
 */
import { keepNewest } from '../../shared/newest.ts';
import { meetsRequirements, type ServerAddress } from '../../shared/registry/routing.ts';
import type { ServerRequirements } from '../../shared/task/server-requirements.ts';

/** As many as quick retries can use. */
const MAX_OTHERS = 2;

/** Servers come and go: an answer that is so old says nothing of now. */
const MAX_AGE_MS = 3_600_000;

/** Flows have lines too, and every task may bring another. */
const MAX_LINES = 2_000;

interface Known {
  readonly servers: readonly ServerAddress[];
  readonly at: number;
}

export class LastKnownServers {
  readonly #services = new Map<string, Known>();
  /** Until when newcomers join the service's line without a question, Unix ms. */
  readonly #lines = new Map<string, number>();

  /** @param lines by service: tasks stand in line for it, and newcomers join its end until then */
  noteLines(lines: Readonly<Record<string, number>>): void {
    for (const [service, until] of Object.entries(lines)) {
      this.#lines.delete(service);
      this.#lines.set(service, until);
    }
    keepNewest(this.#lines, MAX_LINES);
  }

  hasLine(service: string, now: number): boolean {
    const until = this.#lines.get(service);
    if (until !== undefined && until <= now) this.#lines.delete(service);
    return until !== undefined && until > now;
  }

  /** @param servers by service, all that take calls now; none is news too */
  note(servers: Readonly<Record<string, readonly ServerAddress[]>>, now: number): void {
    for (const [service, addresses] of Object.entries(servers)) {
      // A flow, or a fixed target, never has any.
      if (addresses.length > 0 || this.#services.has(service))
        this.#services.set(service, { servers: addresses, at: now });
    }
  }

  /** All that took calls when the registry was last asked. */
  of(service: string): readonly ServerAddress[] {
    return this.#services.get(service)?.servers ?? [];
  }

  /** Servers beside the one that a call was given, at random, which may take it when that one cannot be reached. */
  othersOf(
    service: string,
    chosen: Pick<ServerAddress, 'id'>,
    requirements: ServerRequirements | undefined,
    random: () => number,
  ): ServerAddress[] {
    const servers = this.of(service);
    const start = Math.floor(random() * servers.length);
    const others: ServerAddress[] = [];
    for (let offset = 0; offset < servers.length && others.length < MAX_OTHERS; offset++) {
      const server = servers[(start + offset) % servers.length];
      if (server !== undefined && server.id !== chosen.id && meetsRequirements(server, requirements))
        others.push(server);
    }
    return others;
  }

  /** One at random for the call, and others for failover; none when none is known. */
  pick(
    service: string,
    requirements: ServerRequirements | undefined,
    now: number,
    random: () => number,
  ): ServerAddress[] {
    const known = this.#services.get(service);
    if (known === undefined || now - known.at > MAX_AGE_MS) return [];
    const fitting = known.servers.filter((server) => meetsRequirements(server, requirements));
    const first = fitting[Math.floor(random() * fitting.length)];
    return first === undefined ? [] : [first, ...this.othersOf(service, first, requirements, random)];
  }
}
