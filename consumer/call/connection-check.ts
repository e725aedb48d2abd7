/**
 * Whether a server takes connections at all, found out by opening one. In production Cloudflare says so
 * by itself, with a status (521 and its like, `repeat.ts`); a network that is bound directly, as in the
 * local run, reports refused and broken connections alike.
 */

const LOOK_MS = 250;

/** @returns false also when it cannot be told */
export async function refusesConnections(network: Fetcher, url: string): Promise<boolean> {
  const { protocol, hostname, port } = new URL(url);
  const address = {
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (protocol === 'https:' ? 443 : 80)),
  };
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, LOOK_MS);
  const socket = network.connect(address);
  socket.closed.catch(() => {});
  try {
    await Promise.race([socket.opened, late.promise]);
    return false;
  } catch {
    return true;
  } finally {
    clearTimeout(timer);
    await socket.close().catch(() => {});
  }
}
