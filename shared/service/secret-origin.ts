/**
 * Which origins may be sent what a service keeps secret: keys of its pool, and secrets in its headers.
 * Anybody with a server's token can register a server for a service; that alone gets no secret. Pure.
 */

/** What of a service's definition says where it may be called with secrets. */
interface Permission {
  readonly auth?: { readonly origins?: readonly string[] | undefined } | undefined;
  readonly baseUrl?: string | undefined;
  readonly binding?: string | undefined;
}

interface Secrets {
  readonly keyPool?: string | undefined;
  /** A text, or the name of the secret that holds it. */
  readonly headers: Readonly<Record<string, unknown>>;
}

/**
 * True for a Worker behind a binding (the binding is the permission), for the origin of `baseUrl`, and
 * for those in `auth.origins`.
 */
export function mayHaveSecrets({ auth, baseUrl, binding }: Permission, origin: string): boolean {
  if (binding !== undefined) return true;
  return (baseUrl !== undefined && origin === new URL(baseUrl).origin) || (auth?.origins?.includes(origin) ?? false);
}

/** Parsed once a definition and not once a call. */
const ownOrigins = new WeakMap<Permission, string>();

/** As `mayHaveSecrets`, of an address; one on the service's fixed target, which is nearly every call's, is not parsed. */
export function mayHaveSecretsAt(service: Permission, url: string): boolean {
  const { baseUrl } = service;
  if (baseUrl !== undefined) {
    const origin = ownOrigins.get(service) ?? new URL(baseUrl).origin;
    ownOrigins.set(service, origin);
    // The slash ends the host: nothing that follows can name another.
    if (url.startsWith(`${origin}/`)) return true;
  }
  return mayHaveSecrets(service, new URL(url).origin);
}

/** True when a call of the service carries something that not everybody may have. */
export function hasSecrets({ keyPool, headers }: Secrets): boolean {
  return keyPool !== undefined || Object.values(headers).some((value) => typeof value !== 'string');
}

/** What is told of an origin that may have none. */
export function secretProblem(origin: string): string {
  return `The service's configuration allows no secret to be sent to ${origin}; add it to auth.origins if it may have them.`;
}
