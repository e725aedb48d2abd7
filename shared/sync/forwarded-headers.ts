/**
 * Which headers go on from a client to a backend and back on the synchronous route. What belongs to
 * one hop, to the platform in between or to Tasklane stays; so do credentials and cookies: the token
 * is Tasklane's, and a backend's cookie would be one of Tasklane's own origin. Pure.
 */
import { ALWAYS, NOBODYS_PAGE } from '../security-headers.ts';
import { asRead, isNotForClients, isOfOneHop } from '../service/request-headers.ts';
import { INTERNAL_HEADER_PREFIX } from './call.ts';
import { type Asked, locationForClient, valueForClient } from './location.ts';
import { isUnpackedOnReading } from './packing.ts';

const OF_THE_WAY_THERE = /^(?:host|content-length|authorization|cookie2?|prefer|task-.*)$/;

/**
 * What a browser, or a proxy before Tasklane, does to an *origin* because of an answer: on this one it
 * would be done to all services and to Tasklane's own pages. Everything else goes on: providers have
 * hundreds of headers of their own, packages read them, and browsers do not (decision 0037).
 */
const OF_THE_WAY_BACK = new RegExp(
  `^(?:${[
    'content-length',
    // State of the origin.
    'set-cookie2?',
    'clear-site-data',
    'service-worker-.*',
    'no-vary-search',
    'use-as-dictionary',
    'activate-storage-access',
    'set-login',
    'shared-storage-.*',
    'sec-.*',
    'secure-session-.*',
    // Where to go, and what to load.
    'location',
    'content-location',
    'refresh',
    'link',
    'speculation-rules',
    '(?:x-)?sourcemap',
    'x-pingback',
    // Who may ask, and how: a browser would ask for a password on this origin.
    '(?:optional-)?www-authenticate',
    'authentication-.*',
    // Policies.
    '(?:x-)?content-security-policy.*',
    'x-webkit-csp.*',
    '(?:permissions|feature|document|referrer|integrity|require-document|document-isolation)-policy.*',
    'cross-origin-.*',
    'origin-.*',
    'access-control-.*',
    'timing-allow-origin',
    'supports-loading-mode',
    'x-(?:frame-options|xss-protection|content-type-options|permitted-cross-domain-policies|dns-prefetch-control|download-options|ua-compatible)',
    'strict-transport-security',
    'public-key-pins.*',
    'expect-(?:ct|staple).*',
    // How to reach the origin, and whom to tell.
    'alt-svc',
    'nel',
    'report-to',
    'reporting-endpoints',
    'accept-ch.*',
    'critical-ch',
    'attribution-reporting-.*',
    'observe-browsing-topics',
    'ad-auction-.*',
    // What proxies and caches before us act on.
    'x-accel-.*',
    'x-sendfile.*',
    'x-reproxy-.*',
    'x-lighttpd-.*',
    'x-litespeed-.*',
    'surrogate-.*',
    '(?:[a-z]+-)?cdn-cache-control',
    'cache-tag',
    'cf-.*',
    'preference-applied',
  ].join('|')})$`,
);

/** What a browser makes of a backend's page must not be able to act as a page of this origin. */
const OF_BACKEND_ANSWERS = {
  ...ALWAYS,
  'content-security-policy': NOBODYS_PAGE,
  'cache-control': 'no-store',
} as const;

const goesToBackend = oncePerName((name) => {
  const read = asRead(name);
  return !isInternal(read) && !isNotForClients(name) && !OF_THE_WAY_THERE.test(read);
});

const goesToClient = oncePerName((name) => !isInternal(name) && !isOfOneHop(name) && !OF_THE_WAY_BACK.test(name));

/** As a plain record, names in lower case: what is added later replaces what came. */
export function headersToBackend(headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = Object.create(null);
  const named = hopHeadersOf(headers);
  headers.forEach((value, name) => {
    if (goesToBackend(name) && !named.has(name)) forwarded[name] = value;
  });
  return forwarded;
}

/**
 * @param redact applied to every name and value: a backend may send a key back
 * @param asked the call that was answered: addresses of its backend lead below the service
 */
export function headersToClient(headers: Headers, redact: (text: string) => string, asked: Asked): Headers {
  const forwarded: Record<string, string> = Object.create(null);
  const named = hopHeadersOf(headers);
  headers.forEach((value, name) => {
    const isUndone = name === 'content-encoding' && isUnpackedOnReading(headers);
    if (isUndone || !goesToClient(name) || named.has(name)) return;
    const told = valueForClient(name, value, asked);
    // A name cannot be replaced: without it the header says nothing.
    if (told !== undefined && redact(name) === name) forwarded[name] = redact(told);
  });
  const location = headers.get('location');
  const place = location === null ? undefined : locationForClient(location, asked);
  if (place !== undefined) forwarded.location = redact(place);
  return new Headers(Object.assign(forwarded, OF_BACKEND_ANSWERS));
}

/** `Connection: close, x-private` makes `x-private` a matter of that hop too. */
function hopHeadersOf(headers: Headers): ReadonlySet<string> {
  const said = headers.get('connection');
  return new Set(said?.split(',').map((name) => name.trim().toLowerCase()));
}

const MAX_KEPT = 1_000;
const MAX_KEPT_CHARS = 64;

/** The same few names come with every call: to judge each of them anew took some 14 µs of it. */
function oncePerName(isSo: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>();
  return (name) => {
    const earlier = known.get(name);
    if (earlier !== undefined) return earlier;
    const answer = isSo(name);
    if (known.size === MAX_KEPT) known.clear();
    if (name.length <= MAX_KEPT_CHARS) known.set(name, answer);
    return answer;
  };
}

function isInternal(name: string): boolean {
  return name.startsWith(INTERNAL_HEADER_PREFIX);
}
