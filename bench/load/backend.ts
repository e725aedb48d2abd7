/**
 * The backends that both sides call, in one small server: `/instant` answers at once, `/slow50` after
 * 50 ms, `/gate` when the gate is opened, so that a queue can fill up while nothing is consumed.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const RESULT = '{"ok":true}';

export class Backend {
  #calls = 0;
  #gate: ServerResponse[] | undefined;
  readonly #watchers = new Set<() => void>();
  readonly #server = createServer((incoming, response) => this.#answer(incoming, response));

  /** Listens on a free loopback port and answers with it. */
  listen(): Promise<number> {
    this.#server.keepAliveTimeout = 600_000;
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  /** Forgets all calls; `gateClosed` holds the calls of `/gate` from now on, or lets them through. */
  reset(gateClosed: boolean): void {
    this.#calls = 0;
    const held = this.#gate ?? [];
    this.#gate = gateClosed ? [] : undefined;
    for (const response of held) finish(response, 200, RESULT);
  }

  /** Resolves true when `count` calls have arrived since the reset, false after `timeoutMs`. */
  awaitCalls(count: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (arrived: boolean) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(arrived);
      };
      const look = () => {
        if (this.#calls >= count) end(true);
      };
      const timer = setTimeout(end, timeoutMs, false);
      this.#watchers.add(look);
      look();
    });
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    incoming.resume();
    this.#calls++;
    for (const look of this.#watchers) look();
    switch (incoming.url) {
      case '/slow50':
        setTimeout(finish, 50, response, 200, RESULT);
        return;
      case '/gate':
        if (this.#gate === undefined) finish(response, 200, RESULT);
        else this.#gate.push(response);
        return;
      default:
        finish(response, 200, RESULT);
    }
  }
}

function finish(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
