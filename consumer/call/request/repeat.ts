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
