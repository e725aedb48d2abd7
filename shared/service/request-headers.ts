/**
 * Headers of a call that are not a client's to bring: those of one hop, those in which proxies say on
 * whose behalf they ask, and how an answer may be packed. A task that names one is refused; on the
 * synchronous route they end here, because clients and the proxies before us add them by themselves.
 */

/** RFC 9110 section 7.6.1, and the headers that describe a message's own transport. */
const OF_ONE_HOP =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|http2-settings|alt-used|max-forwards|sec-websocket-.*)$/i;

/** RFC 7239 and what stood in its place: a backend behind Tasklane would believe whoever writes them. */
const OF_PROXIES =
  /^(?:forwarded|via|cdn-loop|x-forwarded|x-forwarded-.*|x-forwarder-.*|x-real-ip|x-client-ip|x-cluster-client-ip|x-remote-.*|remote-addr|client-ip|true-client-ip|fastly-client-ip|x-azure-.*|x-envoy-.*|x-original-.*|x-originating-ip|x-rewrite-url|cf-.*)$/i;

/** Tasklane says it: an answer that is packed in another way cannot be looked through for secrets. */
const ACCEPT_ENCODING = /^accept-encoding$/i;

export function isOfOneHop(name: string): boolean {
  return OF_ONE_HOP.test(name);
}

export function isNotForClients(name: string): boolean {
  return OF_ONE_HOP.test(name) || OF_PROXIES.test(name) || ACCEPT_ENCODING.test(name);
}
