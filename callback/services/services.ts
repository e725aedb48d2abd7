/**
 * What people and autoscalers change of services: definitions, pauses, balancing; and what consumers learn
 * of it. Changing a definition keeps all counts: they live with the servers. Deterministic, without I/O.
 */

import { isFlowName } from '../../shared/flow/flow.ts';
import { keepNewest } from '../../shared/newest.ts';
import type { ServiceCatalog } from '../../shared/registry/routing.ts';
import type { Answered, ServicePause } from '../../shared/registry/rpc.ts';
import { BALANCING_ALGORITHMS } from '../../shared/service/definition.ts';
import { isHookService } from '../../shared/webhook/hook.ts';
import { endRamps } from '../capacity/limits.ts';
import { dropLine, hastenLines, linesOf } from '../capacity/line.ts';
import { forgetLimit, inFlightOf } from '../capacity/service.ts';
import { mustAsk } from '../capacity/shares.ts';
import { noSuchService, refuse } from '../registry/refusal.ts';
import type { Registry } from '../registry/state.ts';
import { definitionOf, hasFixedTarget, isPaused, parseDefinition } from './definitions.ts';

/** Anybody's receiver can have its hook paused, and every consumer is told the names of all that are. No owner takes the room of others. */
const MAX_PAUSED_HOOKS = 5_000;
const MAX_PAUSED_HOOKS_OF_ONE = 100;

/** @throws when the definition is not valid: who sends it has checked it */
export function putService(registry: Registry, name: string, sent: unknown): number {
  const definition = parseDefinition(registry, name, sent);
  if (definition === undefined) throw new Error(`the definition of ${name} is not valid`);
  registry.catalog.put.set(name, { sent, definition });
  registry.catalog.balancing.delete(name);
  registry.catalog.deleted.delete(name);
  hastenLines(registry, name);
  return renewCatalog(registry);
}

/** Of more deletions the oldest are forgotten. */
const MAX_DELETED = 1_000;

/** @param waiting tasks of the service that have not ended */
export function deleteService(
  registry: Registry,
  name: string,
  force: boolean,
  waiting: number,
  now: number,
): Answered<undefined> {
  if (!registry.catalog.put.has(name)) {
    return Object.hasOwn(registry.settings.services, name)
      ? refuse('invalid-request', `${name} stands in the configuration file; take it out there.`)
      : noSuchService(name);
  }
  const inFlight = inFlightOf(registry, name);
  if (!force && inFlight + waiting > 0) {
    return refuse('service-busy', `${name} has ${inFlight} calls under way and ${waiting} tasks that have not ended.`);
  }
  registry.catalog.put.delete(name);
  registry.catalog.balancing.delete(name);
  registry.catalog.paused.delete(name);
  registry.catalog.ramps.delete(name);
  noteDeleted(registry, name, now);
  for (const line of linesOf(registry, name)) dropLine(registry, line);
  renewCatalog(registry);
  return DONE;
}

function noteDeleted(registry: Registry, name: string, now: number): void {
  const { deleted } = registry.catalog;
  deleted.delete(name);
  // The one of the file is in force again.
  if (definitionOf(registry, name) !== undefined) return;
  deleted.set(name, now);
  keepNewest(deleted, MAX_DELETED);
}

/** @param pause undefined: it goes on */
export function setPaused(registry: Registry, name: string, pause: ServicePause | undefined): Answered<undefined> {
  const isPausedNow = registry.catalog.paused.has(name);
  // One that is paused and not defined any more may go on: else its end would be due for ever.
  if (definitionOf(registry, name) === undefined && (pause !== undefined || !isPausedNow)) return noSuchService(name);
  if (pause === undefined && !isPausedNow) return DONE;
  if (pause !== undefined && isHookService(name) && !isPausedNow) {
    const tooMany = tooManyHooks(registry, pause.owner);
    if (tooMany !== undefined) return refuse('invalid-request', tooMany);
  }
  registry.catalog.ramps.delete(name);
  if (pause !== undefined) registry.catalog.paused.set(name, pause);
  else {
    registry.catalog.paused.delete(name);
    hastenLines(registry, name);
  }
  renewCatalog(registry);
  return DONE;
}

function tooManyHooks({ catalog }: Registry, owner: string | undefined): string | undefined {
  const hooks = [...catalog.paused].filter(([name]) => isHookService(name));
  const own = hooks.filter(([, pause]) => pause.owner === owner).length;
  if (own >= MAX_PAUSED_HOOKS_OF_ONE) return `${own} webhooks of yours are paused, which is the most; resume some.`;
  return hooks.length >= MAX_PAUSED_HOOKS ? `${hooks.length} webhooks are paused, which is the most.` : undefined;
}

/** @param rampSeconds so long its calls grow to what it bears; undefined: it goes on at once */
export function resume(
  registry: Registry,
  name: string,
  rampSeconds: number | undefined,
  now: number,
): Answered<undefined> {
  const answer = setPaused(registry, name, undefined);
  if (!answer.ok || rampSeconds === undefined) return answer;
  registry.catalog.ramps.set(name, { since: now, seconds: rampSeconds });
  noteLimited(registry, now);
  renewCatalog(registry);
  return answer;
}

export function endPauses(registry: Registry, now: number): void {
  for (const name of registry.catalog.paused.keys())
    if (!isPaused(registry, name, now)) setPaused(registry, name, undefined);
}

export function earliestResumeAt({ catalog }: Registry): number {
  return Math.min(...[...catalog.paused.values()].map(({ until = Infinity }) => until));
}

/**
 * Calls of a service with a fixed target and no limits are not asked for, unless it cannot be reached, said
 * that it has had enough, was resumed with a ramp, keeps much of a shard, or tasks stand in its line: consumers
 * learn it with the definitions.
 */
export function noteLimited(registry: Registry, now: number): void {
  const { catalog, services, lines } = registry;
  endRamps(registry, now);
  const withTasks = [...lines.values()].filter(({ stands }) => stands).map(({ service }) => service);
  const names = new Set([...withTasks, ...catalog.ramps.keys()]);
  for (const [name, service] of services) {
    forgetLimit(service, now);
    const isCrowding = mustAsk(service, catalog.limited.has(name));
    if (service.outage !== undefined || service.limiter !== undefined || isCrowding) names.add(name);
  }
  const mayBeUnasked = (name: string) => !isFlowName(name) && hasFixedTarget(definitionOf(registry, name));
  const limited = new Set([...names].filter(mayBeUnasked));
  if (limited.size === catalog.limited.size && [...limited].every((name) => catalog.limited.has(name))) return;
  catalog.limited = limited;
  renewCatalog(registry);
}

export function setBalancing(registry: Registry, name: string, algorithm: string): Answered<undefined> {
  if (definitionOf(registry, name) === undefined) return noSuchService(name);
  const known = BALANCING_ALGORITHMS.find((each) => each === algorithm);
  if (known === undefined) {
    return refuse('invalid-request', `${algorithm} is none of ${BALANCING_ALGORITHMS.join(', ')}.`);
  }
  registry.catalog.balancing.set(name, known);
  registry.changed.services = true;
  return DONE;
}

export function readCatalog({ catalog }: Registry, known: number): ServiceCatalog | undefined {
  if (known === catalog.version) return undefined;
  return {
    version: catalog.version,
    services: Object.fromEntries([...catalog.put].map(([name, { sent }]) => [name, sent])),
    paused: [...catalog.paused.keys()],
    pausedUntil: Object.fromEntries(
      [...catalog.paused].flatMap(([name, { until }]) => (until === undefined ? [] : [[name, until]])),
    ),
    limited: [...catalog.limited],
    deleted: Object.fromEntries(catalog.deleted),
  };
}

const DONE: Answered<undefined> = { ok: true, value: undefined };

function renewCatalog(registry: Registry): number {
  registry.catalog.version += 1;
  registry.changed.services = true;
  return registry.catalog.version;
}
