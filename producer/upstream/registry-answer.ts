/** From the registry's answer to the client's. */

import type { Answered, RegistryCaller } from '../../shared/registry/rpc.ts';
import { refuse, unavailable } from '../answer/answer.ts';
import type { Caller } from '../app.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from './upstream.ts';

export function registryCallerOf({ subject, scope }: Caller): RegistryCaller {
  return { subject, isAdmin: scope === 'all' };
}

type Registry = Runtime['config']['registry'];

/** @param answer what becomes of an answer that is not a refusal */
export async function askRegistry<Value>(
  { config }: Runtime,
  question: (registry: Registry) => Promise<Answered<Value>>,
  answer: (value: Value) => Response,
): Promise<Response> {
  const asked = await callUpstream('registry', () => question(config.registry));
  if (asked === UNAVAILABLE) return registryUnavailable();
  return asked.ok ? answer(asked.value) : refuse(asked.code, { detail: asked.detail });
}

/** A question that is never refused. */
export async function readRegistry<Value>(
  { config }: Runtime,
  question: (registry: Registry) => Promise<Value>,
  answer: (value: Value) => Response,
): Promise<Response> {
  const asked = await callUpstream('registry', () => question(config.registry));
  return asked === UNAVAILABLE ? registryUnavailable() : answer(asked);
}

function registryUnavailable(): Response {
  return unavailable('The server registry did not answer. Nothing is certain to have changed; repeat the request.');
}
