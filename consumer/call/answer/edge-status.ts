/**
 * Statuses that a proxy before a backend makes up, and what helps. Their bodies are pages of HTML that say less
 * (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors). Pure.
 */

const LATE =
  'a proxy before the backend gave up waiting for its headers (Cloudflare waits about 100 s). For longer work the ' +
  'backend answers 202 at once and calls back';

const MEANINGS: ReadonlyMap<number, string> = new Map([
  [504, LATE],
  [
    520,
    'the proxy before the backend got an answer that it could not read; look for a crash in the log of the backend',
  ],
  [521, 'the backend refused the connection of the proxy before it; it is down, or its firewall keeps the proxy out'],
  [522, 'the backend did not take the connection of the proxy before it in time; it is overloaded, or filtered'],
  [523, 'the proxy before the backend found no route to it; its address in the DNS is wrong'],
  [524, LATE],
  [525, 'the backend and the proxy before it could not agree on TLS'],
  [526, 'the proxy before the backend does not accept its certificate'],
  [527, 'the connection between the proxy before the backend and its own listener at the backend was interrupted'],
  [530, 'the proxy or tunnel before the backend has no backend behind it; its name leads nowhere'],
]);

/** undefined for a status that a backend means itself. */
export function edgeMeaning(status: number): string | undefined {
  return MEANINGS.get(status);
}
