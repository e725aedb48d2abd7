/**
 * The services of `wrangler.toml` as variables. One holds 5 KB on the platform, so a deploy spreads many services over
 * `SERVICES`, `SERVICES_1`, `SERVICES_2`, …, and every Worker puts them together again. Pure.
 */
import { jsonOfVariable } from '../env.ts';

/** developers.cloudflare.com/workers/platform/limits: 5 KB a variable, here of 1,000 bytes, to be safe. */
export const MAX_VARIABLE_BYTES = 5_000;

const PART = /^SERVICES(?:_[1-9]\d*)?$/;

/** All services in the variables, as they were written; unparsed text stays text for the schema to refuse. */
export function joinServices(variables: object): unknown {
  const parts = Object.entries(variables)
    .filter(([name, value]) => PART.test(name) && value !== undefined && value !== '')
    .map(([, value]) => jsonOfVariable(value));
  const odd = parts.find((part) => typeof part !== 'object' || part === null);
  return odd ?? Object.fromEntries(parts.flatMap((part) => Object.entries(part as object)));
}

/** The same variables with services in as many parts as they need; a service is never split. */
export function splitServices(variables: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const services = joinServices(variables);
  if (typeof services !== 'object' || services === null) return { ...variables };
  const parts: Record<string, unknown>[] = [{}];
  for (const [name, definition] of Object.entries(services)) {
    const last = parts.at(-1) ?? {};
    const longer = { ...last, [name]: definition };
    if (bytesOf(longer) <= MAX_VARIABLE_BYTES || Object.keys(last).length === 0) parts[parts.length - 1] = longer;
    else parts.push({ [name]: definition });
  }
  const others = Object.entries(variables).filter(([name]) => !PART.test(name));
  const named = parts.map((part, index) => [index === 0 ? 'SERVICES' : `SERVICES_${index}`, part] as const);
  return Object.fromEntries([...others, ...named]);
}

export function bytesOf(value: unknown): number {
  return new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)).length;
}
