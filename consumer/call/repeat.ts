/**
 * Whether a request may go out a second time when its first sending brought no answer. The runtime says
 * of a refused connection, one that was reset before the request was read, and one that was reset after
 * it, the same: "Network connection lost". So what may have been read is taken as read: a body is never
 * sent again by itself, and neither is a method that is not idempotent (RFC 9110 section 9.2.2), unless
 * the service says that it recognises a repeat. Pure.
 */

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY']);

export interface Sendable {
  readonly method: string;
  readonly hasBody: boolean;
}

export function mayBeRepeated(
  { method, hasBody }: Sendable,
  { idempotent = false }: { readonly idempotent?: boolean | undefined },
): boolean {
  return idempotent || (!hasBody && IDEMPOTENT.has(method));
}

/**
 * Statuses by which a proxy before a server says that it did not get through to it: nothing of the
 * request was read (developers.cloudflare.com, "Cloudflare 5xx errors": 521 refused, 523 unreachable, 525 and
 * 526 no TLS, 530 with 1016 no DNS). 520, 522, 524 and 527 may come after it was read.
 */
const NOT_DELIVERED = new Set([521, 523, 525, 526, 530]);

export function wasNotDelivered(status: number): boolean {
  return NOT_DELIVERED.has(status);
}
