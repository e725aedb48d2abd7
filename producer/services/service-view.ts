/** Services as they are shown, also in the audit, which more people read than may change them: values of headers that look like secrets are `***`. */
import type { ServiceDetail, ServicePause, ServiceView } from '../../shared/registry/rpc.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { withoutSecrets } from '../view/request-view.ts';

type Definition = Readonly<Record<string, unknown>>;

/** A header is a text, or names the secret that holds it. */
export function shownDefinition({ headers, ...rest }: Definition): Record<string, unknown> {
  if (headers === undefined) return rest;
  const entries = Object.entries(headers as Definition);
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { ...rest, headers: { ...Object.fromEntries(entries), ...withoutSecrets(Object.fromEntries(texts)) } };
}

export function serviceDocument({ pause, unreachable, ...service }: ServiceView) {
  return {
    ...service,
    pause: pause && pauseDocument(pause),
    unreachable: unreachable && { since: new Date(unreachable.since).toISOString(), why: unreachable.why },
  };
}

export function pauseDocument({ until, reason }: ServicePause) {
  return { until: until === undefined ? undefined : new Date(until).toISOString(), reason };
}

/** How a service stands before an act on it; undefined where it does not exist, or cannot be asked: that hinders no act. */
export async function serviceNow({ config }: Runtime, name: string): Promise<ServiceDetail | undefined> {
  const asked = await callUpstream('registry', () => config.registry.getService(name));
  return asked === UNAVAILABLE || !asked.ok ? undefined : asked.value;
}

/** What the audit says of a pause that is made or ended. */
export function pauseState({ paused, pause }: { readonly paused: boolean; readonly pause?: ServicePause | undefined }) {
  return { paused, ...(pause !== undefined && pauseDocument(pause)) };
}
