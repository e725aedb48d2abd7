/**
 * Flows, as the registry's machinery sees them: services with limits and nothing else. They live in objects of their
 * own, apart from the servers. What tasks say of a flow's limits holds, the newest first, until a person says it.
 * Deterministic, without I/O.
 */

import type { Answered, FlowsAsked, FlowView, NamedFlow, ServicePause } from '../../shared/registry/rpc.ts';
import { ServiceDefinitionSchema } from '../../shared/service/definition.ts';
import type { FlowLimits } from '../../shared/task/flow-limits.ts';
import { hastenLines } from '../capacity/line.ts';
import { inFlightOf } from '../capacity/service.ts';
import { refuse } from '../registry/refusal.ts';
import type { Flow, Registry } from '../registry/state.ts';
import { pauseOf } from '../services/definitions.ts';
import { setPaused } from '../services/services.ts';

/** With more, those that are idle are forgotten: their tasks say their limits again. */
const MAX_KNOWN = 2_000;
const IDLE_MS = 600_000;

/** A limit of calls at a time alone is kept by each call: none follows another in its place. */
const UNTOLD_RATE = 100_000;

/** Nobody is called at it. */
const NOWHERE = 'https://flow.invalid';

function flowOf(limits: FlowLimits, isPut: boolean, now: number): Flow {
  const { concurrency, rate, periodSeconds = 1 } = limits;
  const requestsPerSecond = rate === undefined ? UNTOLD_RATE : Math.min(UNTOLD_RATE, rate / periodSeconds);
  const definition = ServiceDefinitionSchema.parse({
    baseUrl: NOWHERE,
    maxConcurrency: concurrency,
    requestsPerSecond,
  });
  return { limits, definition, isPut, seenAt: now };
}

/** A task of the flow says its limits. */
export function learnFlow(registry: Registry, name: string, limits: FlowLimits, now: number): void {
  const known = registry.flows.get(name);
  if (known !== undefined) known.seenAt = now;
  if (known?.isPut === true || (known !== undefined && isSame(known.limits, limits))) return;
  registry.flows.set(name, flowOf(limits, false, now));
  if (known !== undefined) hastenLines(registry, name);
  else if (registry.flows.size > MAX_KNOWN) forgetIdle(registry, now);
}

export function putFlow(registry: Registry, name: string, limits: FlowLimits, now: number): FlowView {
  registry.flows.set(name, flowOf(limits, true, now));
  registry.changed.servers = true;
  hastenLines(registry, name);
  return viewOf(registry, name, now);
}

/** @param pause undefined: it goes on */
export function pauseFlow(
  registry: Registry,
  name: string,
  pause: ServicePause | undefined,
  now: number,
): Answered<FlowView> {
  if (!registry.flows.has(name) && pause === undefined) return noSuchFlow();
  if (!registry.flows.has(name)) registry.flows.set(name, flowOf({}, false, now));
  setPaused(registry, name, pause);
  registry.changed.servers = true;
  return { ok: true, value: viewOf(registry, name, now) };
}

/** @param waiting tasks that stand in its line */
export function viewFlow(registry: Registry, name: string, waiting: number, now: number): Answered<FlowView> {
  if (!registry.flows.has(name) && waiting === 0) return noSuchFlow();
  return { ok: true, value: { ...viewOf(registry, name, now), waiting } };
}

/** Those that are known here, by name; where their tasks wait they are counted elsewhere. */
export function listFlows(registry: Registry, { prefix, after, limit }: FlowsAsked, now: number): NamedFlow[] {
  return [...registry.flows.keys()]
    .filter((name) => name.startsWith(prefix) && name > after)
    .sort()
    .slice(0, limit)
    .map((name) => ({ name, ...viewOf(registry, name, now) }));
}

function viewOf(registry: Registry, name: string, now: number): FlowView {
  const flow = registry.flows.get(name);
  const pause = pauseOf(registry, name, now);
  return {
    limits: flow?.limits ?? {},
    source: flow?.isPut === true ? 'api' : 'task',
    paused: pause !== undefined,
    pause,
    inFlight: inFlightOf(registry, name),
    waiting: 0,
  };
}

function noSuchFlow() {
  return refuse('flow-not-found', 'No task of yours was in a flow of this key of late, and nobody has put it.');
}

function isSame(one: FlowLimits, other: FlowLimits): boolean {
  return one.concurrency === other.concurrency && one.rate === other.rate && one.periodSeconds === other.periodSeconds;
}

function forgetIdle(registry: Registry, now: number): void {
  for (const [name, { isPut, seenAt }] of registry.flows) {
    const isBusy = inFlightOf(registry, name) > 0 || registry.linesOf.has(name);
    if (isPut || isBusy || registry.catalog.paused.has(name) || now - seenAt < IDLE_MS) continue;
    registry.flows.delete(name);
    registry.services.delete(name);
  }
}

/** What of flows survives a sleep. */
export type FlowRecord = Pick<Flow, 'limits' | 'isPut'>;

export function flowRecords(registry: Registry): Readonly<Record<string, FlowRecord>> {
  const lasting = [...registry.flows].filter(
    ([name, { isPut }]) => isPut || registry.catalog.paused.has(name) || registry.linesOf.has(name),
  );
  return Object.fromEntries(lasting.slice(0, MAX_KNOWN).map(([name, { limits, isPut }]) => [name, { limits, isPut }]));
}

export function restoreFlows(registry: Registry, records: Readonly<Record<string, FlowRecord>>, now: number): void {
  for (const [name, { limits, isPut }] of Object.entries(records)) registry.flows.set(name, flowOf(limits, isPut, now));
}
