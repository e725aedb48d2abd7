/**
 * Tokens that are limited to services (the claim `services`): what a route that the access table calls
 * `checked` asks before it lets one reach a service or a task. Of other services such a token is told nothing.
 */

import type { Services } from '../../shared/service/definition.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Caller } from '../app.ts';

/** What its token is limited to. */
export type Limited = Pick<Caller, 'services'>;

export function mayUse({ services }: Limited, service: string): boolean {
  return services === undefined || services.includes(service);
}

/** The refusal for the first of these services that the token is not for. */
export function refusalOfServices(caller: Limited, ...services: readonly string[]): Refusal | undefined {
  const refused = services.find((service) => !mayUse(caller, service));
  if (refused === undefined) return undefined;
  const detail = `The token is limited to ${caller.services?.join(', ')} (its claim \`services\`), which ${refused} is not among.`;
  return { code: 'forbidden', details: { detail } };
}

/** Names of services that one answer shows. */
const MAX_NAMES = 20;

/** What is said to who named a service that there is not. */
export function thereAre(services: Services, caller: Limited): string {
  const names = namesFor(caller, Object.keys(services));
  if (names.length > 0) return `Configured: ${listOf(names)}.`;
  return caller.services === undefined ? 'None is configured yet.' : 'None is configured that the token is for.';
}

export function namesFor(caller: Limited, names: readonly string[]): string[] {
  return names.filter((name) => mayUse(caller, name));
}

export function listOf(names: readonly string[]): string {
  return names.slice(0, MAX_NAMES).join(', ') + (names.length > MAX_NAMES ? ', …' : '');
}
