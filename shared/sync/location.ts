/**
 * Where a backend's redirect leads a client of the synchronous route: a place below the service stays
 * below the service; any other is not told, because a client that follows it would take its token
 * along, or act on Tasklane's own addresses. Pure.
 */

/**
 * @param location as the backend said it
 * @param url of the request that was answered
 * @param baseUrl of the service on that server
 * @returns a path on Tasklane's origin, or undefined when there is none
 */
export function locationForClient(location: string, url: string, baseUrl: string, service: string): string | undefined {
  const target = URL.parse(location, url);
  const base = URL.parse(baseUrl);
  if (target === null || base === null || target.origin !== base.origin) return undefined;
  const basePath = base.pathname.replace(/\/+$/, '');
  if (target.pathname !== basePath && !target.pathname.startsWith(`${basePath}/`)) return undefined;
  return `/api/service/${service}${target.pathname.slice(basePath.length)}${target.search}${target.hash}`;
}
