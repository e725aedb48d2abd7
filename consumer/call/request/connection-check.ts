/**
 * Whether a server takes connections at all, found out by opening one. In production Cloudflare says so
 * by itself, with a status (521 and its like, `repeat.ts`); a network that is bound directly, as in the
 * local run, reports refused and broken connections alike.
 */
import { TimeLimitError, withinMs } from '../../../shared/time-limit.ts';

const LOOK_MS = 250;

/** @returns false also when it cannot be told */
export async function refusesConnections(network: Fetcher, url: string): Promise<boolean> {
  const { protocol, hostname, port } = new URL(url);
  const address = {
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (protocol === 'https:' ? 443 : 80)),
  };
  const socket = network.connect(address);
  socket.closed.catch(() => {});
  try {
    await withinMs(socket.opened, LOOK_MS, 'the address');
    return false;
  } catch (error) {
    return !(error instanceof TimeLimitError);
  } finally {
    await socket.close().catch(() => {});
  }
}
