/** A backend that answers in stages, and in every way that goes wrong, so that a test decides what comes when. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A secret that is recognised, with characters that are written differently in URLs and JSON. */
export const planted = (name: string) => `PLANTED-${name}/+="0123456789abcdef`;

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  isClosed: boolean;
}

export interface StagedBackend {
  readonly url: string;
  readonly seen: Seen[];
  /** Lets every answer that is held at its first stage go on. */
  goOn(): void;
  until(match: (seen: Seen) => boolean): Promise<Seen>;
  untilClosed(url: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startStagedBackend(): Promise<StagedBackend> {
  const seen: Seen[] = [];
  const held: ServerResponse[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method = '', url = '', headers } = request;
    const entry: Seen = { method, url, headers, body: body.toString('utf8'), isClosed: false };
    seen.push(entry);
    response.on('close', () => {
      entry.isClosed = !response.writableFinished;
    });
    const status = /^\/base\/status\/(\d+)$/.exec(url)?.[1];
    if (status !== undefined) {
      response.writeHead(Number(status), { ...(status === '302' && { location: '/base/moved' }) });
      response.end();
    } else if (url.startsWith('/base/echo')) {
      response.writeHead(url.startsWith('/base/echo/later') ? 200 : 299, {
        'content-type': headers['content-type'] ?? 'text/plain',
        'set-cookie': 'a=1',
      });
      response.end(body);
    } else if (url === '/base/stages') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
      held.push(response);
    } else if (url === '/base/broken-error') {
      response.writeHead(500, { 'content-length': '100' });
      response.write('broken', () => response.destroy());
    } else if (url === '/base/stalled-error') {
      response.writeHead(500, { 'content-length': '100' });
      response.write('stalled');
    } else if (url === '/base/odd-status') {
      response.writeHead(999).end();
    } else if (url === '/base/packed') {
      response.writeHead(200, { 'content-encoding': 'zstd' }).end('whatever it is');
    } else if (url === '/base/flood') {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    } else if (url === '/base/ticking') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const ticks = setInterval(() => response.write('data: tick\n\n'), 50);
      response.on('close', () => clearInterval(ticks));
    } else if (url !== '/base/silent') {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const eventually = async <Value>(look: () => Value | undefined): Promise<Value> => {
    for (let time = 0; time < 3_000; time++) {
      const value = look();
      if (value !== undefined) return value;
      await sleep(20);
    }
    throw new Error(`it did not happen: ${JSON.stringify(seen.map(({ url, isClosed }) => ({ url, isClosed })))}`);
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    goOn() {
      for (const response of held.splice(0)) {
        response.write(`data: ${planted('house')}\n\n`);
        response.end();
      }
    },
    until: (match) => eventually(() => seen.find(match)),
    untilClosed: async (url) => {
      await eventually(() => (seen.findLast((each) => each.url === url)?.isClosed ? true : undefined));
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
