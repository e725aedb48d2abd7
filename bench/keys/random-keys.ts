/** A gateway that knows nothing of its keys: each request goes on with one drawn at random. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readBody, send } from '../../examples/http.ts';

export async function startRandomKeys(
  target: string,
  keys: readonly string[],
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    forward(target, keys, request, response).catch((error: Error) => send(response, 502, { error: error.message }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function forward(
  target: string,
  keys: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const key = keys[Math.floor(Math.random() * keys.length)];
  const answer = await fetch(target + (request.url ?? '/'), {
    method: request.method ?? 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': request.headers['content-type'] ?? '' },
    body: (await readBody(request)) ?? '',
  });
  const retryAfter = answer.headers.get('retry-after');
  send(response, answer.status, await answer.json(), retryAfter === null ? {} : { 'retry-after': retryAfter });
}
