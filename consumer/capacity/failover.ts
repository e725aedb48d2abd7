/**
 * The servers of one call: each try of a quick retry goes to another one, round and round. Knows who
 * was tried and not reached. No I/O.
 */
import type { ServerAddress } from '../../shared/registry/routing.ts';

/** What a call needs of a server. */
export type CallableServer = Pick<ServerAddress, 'id' | 'baseUrl'>;

export class Failover<Server extends CallableServer = CallableServer> {
  readonly #servers: readonly Server[];
  readonly #tried: Server[] = [];

  /** @param servers the one that was chosen first */
  constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  /** The server of the next try; undefined when there is none at all. */
  next(): Server | undefined {
    const server = this.#servers[this.#tried.length % Math.max(1, this.#servers.length)];
    if (server !== undefined) this.#tried.push(server);
    return server;
  }

  /** The one that was called last, or will be called first. */
  get current(): Server | undefined {
    return this.#tried.at(-1) ?? this.#servers[0];
  }

  /** Ids of servers that were tried before the current one: only failures to reach them lead on. */
  get unreachableServers(): string[] {
    if (this.#tried.length < 2) return [];
    const current = this.current?.id;
    return [...new Set(this.#tried.map(({ id }) => id))].filter((id) => id !== current);
  }
}
