/**
 * Puts a key where a service wants it, at the last moment before the call, and only on a request to
 * an origin that the service's configuration allows. Redirects are not followed (`target.ts`), so a
 * key goes nowhere else.
 */
import type { ServiceDefinition } from '../../shared/service/definition.ts';

export type Placed =
  | { readonly ok: true; readonly request: Request }
  | { readonly ok: false; readonly problem: string };

/** @param init what the request is made of: a request's address cannot be changed later */
export function placeKey(
  service: ServiceDefinition,
  url: string,
  init: RequestInit & { readonly headers: Headers },
  key: string,
): Placed {
  const { auth, baseUrl } = service;
  const { origin } = new URL(url);
  // A bound Worker has no address: the binding is the permission.
  if (baseUrl !== undefined && origin !== new URL(baseUrl).origin && !auth?.origins?.includes(origin)) {
    return { ok: false, problem: `The service's configuration allows no key to be sent to ${origin}.` };
  }
  if (auth?.query !== undefined) return { ok: true, request: new Request(withParameter(url, auth.query, key), init) };
  const header = auth?.header ?? 'authorization';
  const prefix = auth?.prefix ?? (header.toLowerCase() === 'authorization' ? 'Bearer ' : '');
  init.headers.set(header, prefix + key);
  return { ok: true, request: new Request(url, init) };
}

/** Takes the place of a parameter of that name that the task brought; leaves the others as written. */
function withParameter(url: string, name: string, value: string): string {
  const [address = '', query = ''] = url.split('?', 2);
  const others = query.split('&').filter((part) => part !== '' && nameOf(part) !== name);
  return `${address}?${[...others, `${encodeURIComponent(name)}=${encodeURIComponent(value)}`].join('&')}`;
}

function nameOf(parameter: string): string {
  const [name = ''] = parameter.split('=', 1);
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}
