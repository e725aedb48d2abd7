/** An HTTP server that answers as it is told, to try what an agent makes of answers that the real one gives seldom. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body: unknown;
}

export interface FakeAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export class FakeCoordinator {
  readonly seen: Seen[] = [];
  /** By method and path without ids: `POST /api/servers/:id/heartbeat`. */
  answer: (route: string) => FakeAnswer = () => ({ status: 500 });
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get routes(): string[] {
    return this.seen.map(({ method, path }) => routeOf(method, path));
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { method = '', url: path = '' } = request;
        const body: unknown = text === '' ? undefined : JSON.parse(text);
        this.seen.push({ method, path, token: String(request.headers.authorization), body });
        const answer = this.answer(routeOf(method, path));
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
      });
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
}

function routeOf(method: string, path: string): string {
  return `${method} ${path.replace(/srv_[0-9a-z]+/, ':id')}`;
}
