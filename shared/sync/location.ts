/**
 * Where an address that a backend names leads a client of the synchronous route: a place below the
 * service stays below the service; any other on the backend is not told, because a client that follows
 * it would go past Tasklane, take its token along, or act on Tasklane's own addresses. Pure.
 */

/** The call that was answered. */
export interface Asked {
  /** The address that was called, without a key. */
  readonly url: string;
  /** Of the service on that server. */
  readonly baseUrl: string;
  readonly service: string;
  /** Of Tasklane, without a slash at the end. */
  readonly publicUrl: string;
}

/**
 * @param location as the backend said it, in a redirect
 * @returns a path on Tasklane's origin, or undefined when there is none
 */
export function locationForClient(location: string, asked: Asked): string | undefined {
  const target = URL.parse(location, asked.url);
  const base = URL.parse(asked.baseUrl);
  if (target === null || base === null || target.origin !== base.origin) return undefined;
  const basePath = base.pathname.replace(/\/+$/, '');
  if (target.pathname !== basePath && !target.pathname.startsWith(`${basePath}/`)) return undefined;
  return `/api/service/${asked.service}${target.pathname.slice(basePath.length)}${target.search}${target.hash}`;
}

/** Headers that name an address, whatever they mean: `Operation-Location`, `X-Goog-Upload-URL`. */
const NAMES_ADDRESS = /(?:^|-)(?:location|url|uri|link|href)$/;

/**
 * The value of any other header: an address of the backend becomes one below the service, as absolute
 * as it was. A package follows it as it is (Google's sends an upload to `x-goog-upload-url`).
 * @returns undefined when the header may not be told
 */
export function valueForClient(name: string, value: string, asked: Asked): string | undefined {
  const text = value.trim();
  const isAbsolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && !/\s/.test(text);
  if (!isAbsolute && NAMES_ADDRESS.test(name) && /^(?:\/|\.\.?\/)/.test(text)) return locationForClient(text, asked);
  // Most headers name no host.
  const host = value.includes('//') ? URL.parse(asked.baseUrl)?.host : undefined;
  if (host === undefined) return value;
  if (isAbsolute && URL.parse(text)?.host === host) {
    const path = locationForClient(text, asked);
    return path && asked.publicUrl + path;
  }
  // Inside something else it can only be left out.
  return value.toLowerCase().includes(`//${host}`) ? undefined : value;
}
