/**
 * Which headers go on from a client to a backend and back on the synchronous route. What belongs to
 * one hop, to the platform in between or to Tasklane stays; so do credentials and cookies: the token
 * is Tasklane's, and a backend's cookie would be one of Tasklane's own origin. Pure.
 */
import { isNotForClients, isOfOneHop } from '../service/request-headers.ts';
import { INTERNAL_HEADER_PREFIX } from './call.ts';
import { isUnpackedOnReading } from './packing.ts';

const OF_THE_WAY_THERE = /^(?:host|content-length|authorization|cookie2?|prefer|task-.*)$/;

/** A redirect or a policy speaks for the backend's own origin, and would act on this one. */
const OF_THE_WAY_BACK =
  /^(?:content-length|set-cookie|set-cookie2|location|content-location|refresh|alt-svc|strict-transport-security|clear-site-data|service-worker-allowed|nel|report-to|reporting-endpoints|access-control-.*|cf-.*|preference-applied)$/;

/** What a browser makes of a backend's page must not be able to act as a page of this origin. */
const GUARDS = {
  'content-security-policy': "default-src 'none'; sandbox",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const;

/** As a plain record, names in lower case: what is added later replaces what came. */
export function headersToBackend(headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const named = hopHeadersOf(headers);
  for (const [name, value] of headers) {
    if (!isInternal(name) && !isNotForClients(name) && !named.has(name) && !OF_THE_WAY_THERE.test(name)) {
      forwarded[name] = value;
    }
  }
  return forwarded;
}

/** @param redact applied to every name and value: a backend may send a key back */
export function headersToClient(headers: Headers, redact: (text: string) => string): Headers {
  const forwarded = new Headers();
  const named = hopHeadersOf(headers);
  for (const [name, value] of headers) {
    const isUndone = name === 'content-encoding' && isUnpackedOnReading(headers);
    if (isUndone || isInternal(name) || isOfOneHop(name) || named.has(name) || OF_THE_WAY_BACK.test(name)) continue;
    // A name cannot be replaced: without it the header says nothing.
    if (redact(name) === name) forwarded.append(name, redact(value));
  }
  for (const [name, value] of Object.entries(GUARDS)) forwarded.set(name, value);
  return forwarded;
}

/** `Connection: close, x-private` makes `x-private` a matter of that hop too. */
function hopHeadersOf(headers: Headers): ReadonlySet<string> {
  return new Set((headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase()));
}

function isInternal(name: string): boolean {
  return name.startsWith(INTERNAL_HEADER_PREFIX);
}
