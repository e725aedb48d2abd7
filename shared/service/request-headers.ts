/**
 * Headers of a call that are not a client's to bring: those of one hop, those in which proxies say on
 * whose behalf they ask, and how an answer may be packed. A task that names one is refused; on the
 * synchronous route they end here, because clients and the proxies before us add them by themselves.
 */

/** RFC 9110 section 7.6.1, and the headers that describe a message's own transport. */
const OF_ONE_HOP =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|http2-settings|alt-used|max-forwards|sec-websocket-.*)$/;

/** RFC 7239 and what stood in its place: a backend behind Tasklane would believe whoever writes them. */
const OF_PROXIES = new RegExp(
  `^(?:${[
    'forwarded',
    'via',
    'cdn-loop',
    'x-forward(?:ed|er)(?:-.*)?',
    '(?:.*-)?(?:real|client|user|proxyuser|remote|server|connecting|source|originating)-(?:ip|addr|address|port)',
    'x-remote-.*',
    'x-(?:host|scheme|coming-from)',
    'x-original-.*',
    'x-rewrite-url',
    // Certificates that a proxy has seen (RFC 9440 and before), and what it did early (RFC 8470).
    '(?:x-)?(?:ssl-)?client-(?:cert|verify|s-dn|i-dn|dn|subject|issuer)(?:-.*)?',
    '(?:x-)?ssl-.*',
    'early-data',
    'x-amzn-(?:oidc|mtls)-.*',
    'x-(?:azure|envoy|appengine)-.*',
    'cf-.*',
  ].join('|')})$`,
);

/** Tasklane says it: an answer that is packed in another way cannot be looked through for secrets. */
const ACCEPT_ENCODING = 'accept-encoding';

/**
 * A name as a backend may read it: gateways of CGI and its heirs make one variable of `Accept-Encoding`, `accept_encoding`
 * and `accept.encoding` (RFC 3875, section 4.1.18).
 */
export function asRead(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
}

export function isOfOneHop(name: string): boolean {
  return OF_ONE_HOP.test(asRead(name));
}

export function isNotForClients(name: string): boolean {
  const read = asRead(name);
  return OF_ONE_HOP.test(read) || OF_PROXIES.test(read) || read === ACCEPT_ENCODING;
}
