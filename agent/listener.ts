/**
 * Where the leader of the cluster probes this agent: `GET` with the agent's own id is a probe; without
 * an id it is a question of a person or a container's health check, which changes nothing.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LEAVE_NOTICE_HEADER, MEMBER_HEADER } from './member-probe.ts';

export interface Listener {
  readonly port: number;
  close(): void;
}

export interface Host {
  /** The id that a probe must name; undefined before the registration. */
  id(): string | undefined;
  /** @param isLeaveNotice the leader leaves */
  probedByLeader(isLeaveNotice: boolean): void;
  /** Told to anybody who asks. */
  status(): Readonly<Record<string, unknown>>;
}

export function listen(port: number, address: string | undefined, host: Host): Promise<Listener> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const named = request.headers[MEMBER_HEADER];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, { error: 'GET only' });
    if (named === undefined) return answer(200, host.status());
    if (named !== host.id()) return answer(404, { error: 'another agent listens here' });
    host.probedByLeader(request.headers[LEAVE_NOTICE_HEADER] !== undefined);
    answer(200, { up: true });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () => {
          server.close();
          server.closeAllConnections();
        },
      }),
    );
  });
}
