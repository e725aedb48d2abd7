/**
 * What says that nobody was reached: the statuses with which a proxy or tunnel speaks for an origin that it
 * cannot connect to, and the names of errors that proxies give (RFC 9209), in a header or in what a `fetch`
 * throws. Pure.
 */

/**
 * Whether the origin may have read the request all the same
 * (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors).
 */
type Delivery = 'not-delivered' | 'maybe-delivered';

const STATUSES: ReadonlyMap<number, Delivery> = new Map([
  // "An empty, unknown, or unexpected response": something answered.
  [520, 'maybe-delivered'],
  // The origin refused the connection.
  [521, 'not-delivered'],
  // No SYN+ACK within 19 s, or no acknowledgement of the request within 90 s: nobody can tell which.
  [522, 'maybe-delivered'],
  // No route to the origin.
  [523, 'not-delivered'],
  // 524 is missing: the origin took the request and is slow, which is an attempt.
  // No TLS with the origin, no valid certificate.
  [525, 'not-delivered'],
  [526, 'not-delivered'],
  // The connection between two proxies was interrupted.
  [527, 'maybe-delivered'],
  // With 1016 and its like in the body: the name leads nowhere, or the tunnel has nothing behind it.
  [530, 'not-delivered'],
]);

export function isUnreachableStatus(status: number): boolean {
  return STATUSES.has(status);
}

/** True when nothing of the request can have been read: it may be sent elsewhere, whatever it is. */
export function wasNotDelivered(status: number): boolean {
  return STATUSES.get(status) === 'not-delivered';
}

/** Errors of RFC 9209, section 2.3, that come before a request is sent. `connection_terminated` and `…_read_timeout` do not. */
const UNSENT =
  /\b(?:dns_timeout|dns_error|destination_not_found|destination_unavailable|destination_ip_prohibited|destination_ip_unroutable|connection_refused|connection_timeout|connection_limit_reached|tls_protocol_error|tls_certificate_error|tls_alert_received)\b/;

/**
 * Texts of exceptions. Workers VPC throws the names of RFC 9209 (developers.cloudflare.com/workers-vpc/reference/
 * troubleshooting); workerd's own network says the others (kj: `connect(): Connection refused`, `DNS lookup failed`).
 * "Network connection lost." and "internal error" say nothing of the kind: they come of a reset, too.
 */
const UNSENT_TEXT =
  /\bConnection refused\b|\bDNS lookup failed\b|\bfailed to lookup address\b|\bNo route to host\b|\bNetwork is unreachable\b/i;

/** True when what a call threw says that no connection was made. */
export function saysUnsent(message: string): boolean {
  return UNSENT.test(message) || UNSENT_TEXT.test(message);
}

/** True when a proxy says in `Proxy-Status` that its last hop got nothing: `proxy; error=connection_refused`. */
export function isUnsentByProxy(status: number, proxyStatus: string | null): boolean {
  if (status < 500 || proxyStatus === null) return false;
  // The last member is of the proxy that is closest to us; an answer that it got from the next is not its error.
  const error = /;\s*error\s*=\s*"?([a-z_]+)/.exec(proxyStatus.slice(proxyStatus.lastIndexOf(',') + 1))?.[1];
  return error !== undefined && UNSENT.test(error);
}
