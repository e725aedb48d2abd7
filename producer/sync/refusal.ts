/** What a client is told when no backend answered its call: why, what there is instead, and what to do. */
import type { Services } from '../../shared/service/definition.ts';
import type { Declined } from '../../shared/sync/call.ts';
import { refuse } from '../answer/answer.ts';
import { type Limited, listOf, namesFor, thereAre } from '../caller/limited-token.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const WHY: Readonly<Record<Declined['why'], string>> = {
  'no-server': 'no healthy server offers it',
  'server-busy': 'its servers have all the calls that they may have',
  paused: 'it is paused',
  'no-key': 'no API key is free for it',
  'key-refused': 'its API keys are refused',
  misconfigured: 'it is not configured completely',
  unreachable: 'its servers cannot be reached',
  unreadable: 'the answer of its server cannot be looked through',
  timeout: 'its server did not answer in time',
};

export function unknownServiceCall(services: Services, name: string, caller: Limited): Response {
  return refuse('service-not-found', { detail: `There is no service "${name}". ${thereAre(services, caller)}` });
}

export async function refuseDeclined(
  runtime: Runtime,
  caller: Limited,
  name: string,
  declined: Declined,
): Promise<Response> {
  const { why, until, detail } = declined;
  const reason = `The service "${name}" did not take the call: ${detail ?? WHY[why]}.`.replace(/\.\.$/, '.');
  switch (why) {
    case 'timeout':
      return refuse('backend-timeout', { detail: `${reason} A task waits longer: POST /api/task.` });
    case 'unreachable':
      return refuse('backend-unreachable', {
        detail: `${reason} If a repeat must not do the work twice, send the same Idempotency-Key with each.`,
      });
    case 'unreadable':
      return refuse('backend-unreadable', {
        detail: `${reason} It did the work; have it answer with a status of HTTP, and with gzip, br, or unpacked.`,
      });
    case 'misconfigured':
      return refuse('misconfigured', { detail: reason });
    default: {
      const available = namesFor(caller, await availableServices(runtime, name));
      const none = `No other service${caller.services === undefined ? '' : ' that the token is for'} is available.`;
      const others = available.length === 0 ? none : `Available now: ${listOf(available)}.`;
      const advice = 'Repeat it later, or send `Prefer: respond-async` to have it done as a task.';
      const waitMs = until === undefined ? 5_000 : Math.max(1_000, until - Date.now());
      return refuse('no-capacity', {
        detail: `${reason} ${others} ${advice}`,
        retryAfterSeconds: Math.ceil(waitMs / 1000),
      });
    }
  }
}

/** Services with a fixed target are taken as available; of the others the registry knows. */
async function availableServices({ config, services }: Runtime, except: string): Promise<string[]> {
  const views = await callUpstream('registry', () => config.registry.listServices());
  if (views === UNAVAILABLE) return Object.keys(services.all).filter((name) => name !== except);
  return views
    .filter(
      ({ name, paused, target, servers }) =>
        name !== except && !paused && (target === 'fixed' || servers.available > 0),
    )
    .map(({ name }) => name);
}
