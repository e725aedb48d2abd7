/**
 * Sends a call out and waits for the first byte of an answer. A server that cannot be reached is left
 * for another one at once; one that may have read the request is not, because it may be at work: a call
 * is sent twice only where that does no harm (`repeat.ts`).
 */
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import { isUnreachableStatus, isUnsentByProxy, saysUnsent, wasNotDelivered } from '../../shared/service/unreachable.ts';
import type { Declined } from '../../shared/sync/call.ts';
import type { TargetEnv } from '../call/call-env.ts';
import { wasRefused } from '../call/request/connection-check.ts';
import { isUnreachable } from '../call/request/quick-retry.ts';
import { mayBeRepeated } from '../call/request/repeat.ts';
import { addressesOf, joinUrl, placeOf } from '../call/request/target.ts';
import type { Acquired } from './acquired.ts';
import type { IdleTimeout } from './idle-timeout.ts';
import type { Outbound } from './outbound.ts';

/** Where an answer came from, without a key in the address. */
export interface Source {
  readonly url: string;
  readonly baseUrl: string;
}

export type Sent =
  | { readonly kind: 'answered'; readonly response: Response; readonly from: Source }
  | {
      readonly kind: 'failed';
      readonly why: Extract<Declined['why'], 'misconfigured' | 'unreachable' | 'unreadable' | 'timeout'>;
      readonly detail: string;
      /** No connection was made: nothing of the request was read. */
      readonly isUnsent?: boolean;
    }
  /** Nobody is left to hear an answer. */
  | { readonly kind: 'abandoned' };

export async function forward(
  env: TargetEnv,
  service: ServiceDefinition,
  outbound: Outbound,
  acquired: Acquired,
  idle: IdleTimeout,
): Promise<Sent> {
  for (;;) {
    const prepared = prepare(env, service, outbound, acquired, idle.signal);
    if (!prepared.ok) {
      // Another server may be one that is allowed what this one is not.
      if (acquired.place.moveOn()) continue;
      return { kind: 'failed', why: 'misconfigured', detail: prepared.problem };
    }
    const mayRepeat = mayBeRepeated({ method: outbound.method, hasBody: outbound.body !== undefined }, service);
    // Once it is sent it may have been read: whether anybody is there is asked before.
    if (acquired.place.server !== undefined && !mayRepeat && (await env.refusesConnections(prepared.from.baseUrl))) {
      if (acquired.place.moveOn()) continue;
      return unreachable(true);
    }
    const startedAt = Date.now();
    try {
      const response = await prepared.send();
      const isForAnother = wasUnsent(response) || (mayRepeat && isUnreachableStatus(response.status));
      if (isForAnother && outbound.isRepeatable && acquired.place.moveOn()) {
        await response.body?.cancel();
        continue;
      }
      return { kind: 'answered', response, from: prepared.from };
    } catch (error) {
      if (idle.isTooLong) {
        const detail = `The backend did not answer within ${service.timeoutSeconds} s; it may have done the work.`;
        return { kind: 'failed', why: 'timeout', detail };
      }
      if (idle.signal.aborted) return { kind: 'abandoned' };
      const elapsedMs = Date.now() - startedAt;
      const isUnsent = await wasRefused(env, error, elapsedMs, prepared.from.baseUrl);
      // What the runtime says of a broken connection is no proof that nobody has read (decision 0036).
      const mayMoveOn = saysUnsent(String(error)) || (mayRepeat && isUnreachable(error, elapsedMs));
      if (!mayMoveOn || !outbound.isRepeatable || !acquired.place.moveOn()) return unreachable(isUnsent);
    }
  }
}

function wasUnsent({ status, headers }: Response): boolean {
  return wasNotDelivered(status) || isUnsentByProxy(status, headers.get('proxy-status'));
}

function unreachable(isUnsent: boolean): Sent {
  return { kind: 'failed', why: 'unreachable', detail: 'The connection to the backend failed.', isUnsent };
}

type Prepared =
  | { readonly ok: true; readonly send: () => Promise<Response>; readonly from: Source }
  | { readonly ok: false; readonly problem: string };

function prepare(
  env: TargetEnv,
  service: ServiceDefinition,
  { method, path, headers, body }: Outbound,
  { place: { server }, key }: Acquired,
  signal: AbortSignal,
): Prepared {
  const place = placeOf(env, service, server === undefined ? [] : [server]);
  if (!place.ok) return place;
  const all: Record<string, string> = Object.assign(Object.create(null), headers);
  const addressed = addressesOf(env, service, place.servers, path, all, key);
  if (!addressed.ok) return addressed;
  const address = addressed.servers[0]?.url ?? '';
  // A redirect would carry headers to wherever it points; it is an answer like any other.
  const init: RequestInit = { method, headers: all, redirect: 'manual', signal, ...(body !== undefined && { body }) };
  const { baseUrl } = place.servers[0];
  return { ok: true, send: () => place.fetch(address, init), from: { url: joinUrl(baseUrl, path), baseUrl } };
}
