/** The providers of the rows as HTTP servers: they hold each key to its limits, by the wall clock. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProviderKey, randomFrom } from '../capacity/provider.ts';
import type { Scenario } from '../capacity/simulation.ts';

export interface LiveProvider {
  readonly url: string;
  readonly keys: readonly string[];
  calls: number;
  limited: number;
  /** Calls that were let in, by key. */
  readonly uses: ReadonlyMap<number, number>;
  stop(): Promise<void>;
}

export async function startLiveProvider({ limits, keys, latencyMs, keyAnswer }: Scenario): Promise<LiveProvider> {
  const random = randomFrom(1);
  const startedAt = Date.now();
  const count = keys.reduce((sum, each) => sum + each, 0);
  const names = Array.from({ length: count }, (_, index) => `sk-live-${String(index + 1).padStart(6, '0')}`);
  const known = names.map(() => new ProviderKey(limits, random));
  const uses = new Map<number, number>();
  const seen = { calls: 0, limited: 0 };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const number = names.indexOf(String(request.headers.authorization).replace('Bearer ', '')) + 1;
    const key = known[number - 1];
    if (key === undefined) {
      response.writeHead(401).end();
      return;
    }
    const now = Date.now() - startedAt;
    seen.calls += 1;
    const { status, retryAfterMs } = keyAnswer?.(number, now) ?? key.call(now);
    if (status === 429) seen.limited += 1;
    if (status !== 200) {
      const headers = retryAfterMs === undefined ? {} : { 'retry-after': String(retryAfterMs / 1_000) };
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end('{"error":{}}');
      return;
    }
    uses.set(number, (uses.get(number) ?? 0) + 1);
    setTimeout(
      () => {
        key.end();
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      },
      latencyMs * (0.7 + 0.6 * random()),
    );
  };
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys: names,
    uses,
    get calls() {
      return seen.calls;
    },
    get limited() {
      return seen.limited;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
