/**
 * What is known of the local services: each probe of one has a result, and the results say which
 * services are offered. A service whose port nobody holds is gone at once; one that is late or answers
 * with an error may only be busy, so it is gone after a second look that says the same. Pure.
 */
import type { OfferedService } from '../shared/registry/registration.ts';
import type { LocalService, VersionSource } from './config.ts';
import type { AgentEvent } from './event.ts';

/** One probe of one service. */
export type ProbeResult =
  | { readonly name: string; readonly kind: 'answers'; readonly version: string | undefined }
  | { readonly name: string; readonly kind: 'refuses'; readonly why: string }
  /** `status`: of an answer, when there was one. */
  | { readonly name: string; readonly kind: 'fails'; readonly why: string; readonly status?: number };

/** What is thought of a service after all looks at it. */
export interface Presence {
  readonly present: boolean;
  readonly version: string | undefined;
  /** Failed looks in a row. */
  readonly misses: number;
}

export type Presences = Readonly<Record<string, Presence>>;

/** A busy service may miss one look. */
const MISSES_UNTIL_GONE = 2;

const MAX_VERSION_CHARS = 64;

export function presencesAfter(before: Presences, results: readonly ProbeResult[]): Presences {
  return {
    ...before,
    ...Object.fromEntries(results.map((result) => [result.name, presenceAfter(before, result)])),
  };
}

function presenceAfter(before: Presences, result: ProbeResult): Presence {
  if (result.kind === 'answers') return { present: true, version: result.version, misses: 0 };
  const { present = false, version, misses = 0 } = before[result.name] ?? {};
  const gone = result.kind === 'refuses' || misses + 1 >= MISSES_UNTIL_GONE;
  return { present: present && !gone, version, misses: misses + 1 };
}

/** The services that are registered now. */
export function offeredServices(services: readonly LocalService[], presences: Presences): OfferedService[] {
  return services.flatMap(({ localUrl: _, version: __, ...offered }) => {
    const presence = presences[offered.name];
    if (presence?.present !== true) return [];
    return [{ ...offered, ...(presence.version !== undefined && { version: presence.version }) }];
  });
}

/**
 * @param header answers the header of the health answer
 * @param body of the health answer
 * @returns undefined when it is not there
 */
export function readVersion(
  source: VersionSource | undefined,
  header: (name: string) => string | null,
  body: string,
): string | undefined {
  if (source === undefined) return undefined;
  if (typeof source === 'string') return source;
  const found = 'header' in source ? header(source.header) : memberOf(body, source.json.split('.'));
  if (typeof found !== 'string' && typeof found !== 'number') return undefined;
  // Not through a character of two units.
  return (
    String(found)
      .trim()
      .slice(0, MAX_VERSION_CHARS)
      .replace(/[\uD800-\uDBFF]$/, '') || undefined
  );
}

function memberOf(text: string, path: readonly string[]): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** What a look at the local services changed. */
export function serviceEvents(
  before: readonly OfferedService[],
  now: readonly OfferedService[],
  why: (name: string) => string,
): AgentEvent[] {
  const one = (all: readonly OfferedService[], name: string) => all.find((each) => each.name === name);
  const came = now.flatMap((service): AgentEvent[] => {
    const { name, version } = service;
    const known = one(before, name);
    if (known === undefined) return [{ event: 'service-up', name, version }];
    return sameServices([known], [service]) ? [] : [{ event: 'service-changed', name, version, from: known.version }];
  });
  const went = before
    .filter(({ name }) => one(now, name) === undefined)
    .map(({ name }): AgentEvent => ({ event: 'service-down', name, why: why(name) }));
  return [...came, ...went];
}

export function sameServices(one: readonly OfferedService[], other: readonly OfferedService[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
