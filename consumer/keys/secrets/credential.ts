/**
 * Puts a key where a service wants it, at the last moment before the call, and only on a request to
 * an origin that the service's configuration allows. Redirects are not followed (`target.ts`), so a
 * key goes nowhere else.
 */
import type { ServiceDefinition } from '../../../shared/service/definition.ts';
import { mayHaveSecretsAt, secretProblem } from '../../../shared/service/secret-origin.ts';

export type Placed = { readonly ok: true; readonly url: string } | { readonly ok: false; readonly problem: string };

/**
 * @param headers of the request, names in lower case; the key is set among them when the service wants it there
 * @returns the request's address, with the key when the service wants it there
 */
export function placeKey(
  service: ServiceDefinition,
  url: string,
  headers: Record<string, string>,
  key: string,
): Placed {
  const { auth } = service;
  if (!mayHaveSecretsAt(service, url)) return { ok: false, problem: secretProblem(new URL(url).origin) };
  if (auth?.query !== undefined) return { ok: true, url: withParameter(url, auth.query, key) };
  const header = auth?.header?.toLowerCase() ?? 'authorization';
  headers[header] = (auth?.prefix ?? (header === 'authorization' ? 'Bearer ' : '')) + key;
  return { ok: true, url };
}

/** Takes the place of a parameter of that name that the task brought; leaves the others as written. */
function withParameter(url: string, name: string, value: string): string {
  // Only the first question mark begins the query.
  const mark = url.indexOf('?');
  const address = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark + 1);
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
