/** A receiver of messages, as a client would write it: an HTTP server that verifies with the library of Standard Webhooks. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Webhook } from 'standardwebhooks';

export interface Received {
  readonly id: string;
  readonly path: string;
  readonly contentType: string;
  readonly event: { readonly type: string; readonly data: Record<string, unknown> };
}

export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** What the next messages are answered; 204 when there is nothing. */
  readonly answers: { readonly status: number; readonly headers?: Record<string, string> }[] = [];
  /** Messages whose signature was not good. */
  refused = 0;
  verifier: Webhook | undefined;
  #url = '';
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    try {
      const event = this.verifier?.verify(body, headers) as Received['event'];
      const { status, headers: said } = this.answers.shift() ?? { status: 204 };
      if (status < 300) {
        const [id = '', contentType = ''] = [headers['webhook-id'], headers['content-type']];
        this.received.push({ id, path: request.url ?? '', contentType, event });
      }
      response.writeHead(status, said).end();
    } catch {
      this.refused += 1;
      response.writeHead(401).end();
    }
  });

  get url(): string {
    return this.#url;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Waits until so many messages were taken. */
  async has(count: number, timeoutMs = 60_000): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (this.received.length < count) {
      if (Date.now() > end)
        throw new Error(`${this.received.length} of ${count} messages came, ${this.refused} were refused`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
