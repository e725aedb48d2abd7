/**
 * Tokens that are limited to services (the claim `services`): what a route that the access table calls
 * `checked` asks before it lets one reach a service or a task.
 */

import type { Refusal } from '../answer/refusal.ts';
import type { Caller } from '../app.ts';

export function mayUse({ services }: Pick<Caller, 'services'>, service: string): boolean {
  return services === undefined || services.includes(service);
}

/** The refusal for the first of these services that the token is not for. */
export function refusalOfServices(
  caller: Pick<Caller, 'services'>,
  ...services: readonly string[]
): Refusal | undefined {
  const refused = services.find((service) => !mayUse(caller, service));
  if (refused === undefined) return undefined;
  const detail = `The token is limited to ${caller.services?.join(', ')} (its claim \`services\`), which ${refused} is not among.`;
  return { code: 'forbidden', details: { detail } };
}
