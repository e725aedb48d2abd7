/**
 * A backend that is started several times, one beside each agent: it works for a while, tells its name
 * and version, and counts. Told to stop, it finishes: its health turns bad so that nobody new comes,
 * calls that are under way or still come are answered, and it ends when there were none for a moment.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBody, send } from '../http.ts';
import { type Conduct, conductFrom, workMs } from './conduct.ts';

export interface ServerOptions {
  /** Told in every answer. */
  readonly name: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly conduct: Conduct;
  /** Without a call for so long, a stopping server ends. */
  readonly lingerMs: number;
}

/** What a server did since it started. */
export interface ServerReport {
  readonly name: string;
  readonly version: string;
  readonly calls: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly mostInFlight: number;
  /** Calls whose caller left before the answer. */
  readonly abandoned: number;
  /** How long the last calls took, the failed ones too. */
  readonly durationsMs: readonly number[];
}

export interface ExampleServer {
  readonly url: string;
  report(): ServerReport;
  /** Resolves when the last call was answered. */
  finish(): Promise<void>;
}

const LINGER_LOOK_MS = 50;
const DURATIONS_KEPT = 20_000;

export async function startServer({ name, port, conduct: first, lingerMs }: ServerOptions): Promise<ExampleServer> {
  let conduct = first;
  let stopping = false;
  let lastCallAt = 0;
  const count = { calls: 0, failures: 0, inFlight: 0, mostInFlight: 0, abandoned: 0 };
  const durationsMs: number[] = [];
  const report = () => ({ name, version: conduct.version, ...count, durationsMs });

  const work = async (request: IncomingMessage, response: ServerResponse) => {
    count.calls++;
    count.inFlight++;
    count.mostInFlight = Math.max(count.mostInFlight, count.inFlight);
    const calledAt = Date.now();
    lastCallAt = calledAt;
    try {
      // A connection that stays open would bring further calls to a server that goes.
      if (stopping) response.setHeader('connection', 'close');
      if ((await readBody(request)) === undefined) return send(response, 413, { error: 'the body is too large' });
      await sleep(workMs(conduct, Math.random));
      if (response.destroyed) count.abandoned++;
      if (Math.random() < conduct.failRate) {
        count.failures++;
        return send(response, 500, { error: 'bad luck', server: name });
      }
      send(response, 200, { server: name, version: conduct.version });
    } finally {
      count.inFlight--;
      lastCallAt = Date.now();
      durationsMs.push(lastCallAt - calledAt);
      if (durationsMs.length > DURATIONS_KEPT) durationsMs.shift();
    }
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://server');
    switch (url.pathname) {
      case '/health':
        return send(response, stopping ? 503 : 200, { version: conduct.version, stopping });
      case '/_log':
        return send(response, 200, report());
      case '/_set':
        conduct = conductFrom(conduct, (setting) => url.searchParams.get(setting) ?? undefined);
        return send(response, 200, conduct);
      default:
        return work(request, response);
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => send(response, 400, { error: error.message }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    report,
    finish: async () => {
      stopping = true;
      const askedAt = Date.now();
      while (count.inFlight > 0 || Date.now() - Math.max(lastCallAt, askedAt) < lingerMs) await sleep(LINGER_LOOK_MS);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
