/**
 * What would make a backlog end sooner, and how many servers a service needs. Pure. Both are simple
 * arithmetic that a reader can check: a line of n tasks at r a second ends after n / r seconds, and r grows
 * with the keys; calls at a time are the time of all calls of an hour over that hour (Little's law).
 */
import type { DemandView, ServerView } from '../../shared/registry/rpc.ts';
import { counterOf, type Tally } from '../../shared/statistics/tally.ts';
import type { Advice, Backlog } from '../schema/statistics.ts';

/** Servers are not planned to be busier than this: above it waiting grows steeply. */
const TARGET_UTILISATION = 0.8;

/** A backlog that ends within this needs no advice. */
const SOON_MS = 60_000;

/** Two more keys: the smallest step that people take. */
const MORE_KEYS = 2;

/** @param keysByPool keys that can be used, over all shards */
export function adviseOnKeys(lines: Backlog['lines'], keysByPool: ReadonlyMap<string, number>, now: number): Advice[] {
  return lines.flatMap(({ pool, refused, tasks, perSecond, emptyAt }) => {
    // More keys do not make the provider accept what it refuses.
    if (refused) return [];
    const keys = pool === undefined ? undefined : keysByPool.get(pool);
    if (pool === undefined || keys === undefined || keys === 0) return [];
    if (perSecond === undefined || emptyAt === undefined || Date.parse(emptyAt) - now < SOON_MS) return [];
    const faster = perSecond * ((keys + MORE_KEYS) / keys);
    const soonerAt = new Date(now + Math.ceil((tasks / faster) * 1000)).toISOString();
    const text = `With ${MORE_KEYS} more keys in pool ${pool} the backlog ends at ${clock(soonerAt, now)} instead of ${clock(emptyAt, now)} UTC.`;
    return [{ kind: 'keys' as const, pool, moreKeys: MORE_KEYS, emptyAt, soonerAt, text }];
  });
}

export interface ServiceLoad {
  readonly service: string;
  /** At the mean, over the last full hour. */
  readonly callsAtOnce: number;
  /** That take calls. */
  readonly servers: number;
  /** Calls at a time of one server. */
  readonly concurrency: number;
}

const HOUR_MS = 3600_000;

/** Of services that servers offer. @param lastHour one a service */
export function loadsOf(
  servers: readonly Pick<ServerView, 'state' | 'maxConcurrency' | 'services'>[],
  lastHour: readonly Tally[],
): ServiceLoad[] {
  const there = servers.filter(({ state }) => state === 'healthy');
  return lastHour.flatMap((tally): ServiceLoad[] => {
    const service = tally.name;
    const offering = there.filter(({ services }) => services.some(({ name, healthy }) => healthy && name === service));
    if (offering.length === 0) return [];
    const concurrency = offering.reduce((sum, { maxConcurrency }) => sum + maxConcurrency, 0) / offering.length;
    const callsAtOnce = counterOf(tally, 'callMs') / HOUR_MS;
    return [{ service, callsAtOnce, servers: offering.length, concurrency }];
  });
}

export function adviseOnServers(loads: readonly ServiceLoad[]): Advice[] {
  return loads.flatMap(({ service, callsAtOnce, servers, concurrency }) => {
    if (concurrency === 0 || callsAtOnce === 0) return [];
    return serverAdvice(service, Math.max(1, Math.ceil(callsAtOnce / (concurrency * TARGET_UTILISATION))), servers);
  });
}

/** What autoscalers are told of services whose tasks wait for servers now (`GET /api/services/:name/demand`). */
export function adviseOnWaiting(demands: readonly DemandView[]): Advice[] {
  return demands.flatMap(({ service, advisedServers, available }) => serverAdvice(service, advisedServers, available));
}

/** Lines whose end more servers would bring nearer: the longest first. Nothing helps what is paused. */
export function linesForServers(lines: Backlog['lines'], now: number): string[] {
  return lines
    .filter(({ refused, reasons, emptyAt }) => {
      const endsSoon = emptyAt !== undefined && Date.parse(emptyAt) - now < SOON_MS;
      return !refused && reasons.paused === undefined && !endsSoon;
    })
    .toSorted((a, b) => b.tasks - a.tasks)
    .flatMap(({ service }) => service ?? []);
}

function serverAdvice(service: string, needed: number, servers: number): Advice[] {
  if (needed <= servers) return [];
  const would = needed === 1 ? '1 server would do' : `${needed} servers would do`;
  const text = `Service ${service}: ${would}; there ${servers === 1 ? 'is 1' : `are ${servers}`}.`;
  return [{ kind: 'servers', service, servers, needed, text }];
}

/** The day is said where it is another one. */
function clock(iso: string, now: number): string {
  const isToday = iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
  return isToday ? iso.slice(11, 16) : `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
}
