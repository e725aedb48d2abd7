/**
 * Whether a server takes connections at all, found out by opening one. In production Cloudflare says so
 * by itself, with a status (521 and its like, `repeat.ts`); a network that is bound directly, as in the
 * local run, reports refused and broken connections alike.
 */
import { saysUnsent } from '../../../shared/service/unreachable.ts';
import { TimeLimitError, withinMs } from '../../../shared/time-limit.ts';
import type { TargetEnv } from '../call-env.ts';

const LOOK_MS = 250;

/** Quick retries included: a connection that broke later had stood. */
const REFUSED_WITHIN_MS = 1_000;

/** Whether a call that threw this after so long reached nobody. @param address undefined for a bound Worker */
export async function wasRefused(
  env: Pick<TargetEnv, 'refusesConnections'>,
  error: unknown,
  elapsedMs: number,
  address: string | undefined,
): Promise<boolean> {
  if (saysUnsent(String(error))) return true;
  return elapsedMs < REFUSED_WITHIN_MS && address !== undefined && (await env.refusesConnections(address));
}

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
