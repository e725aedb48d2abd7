/** Who is signed in: a token that the browser keeps until its tab is closed. */
import type { TokenRights } from '../producer/access.ts';
import { ROLES } from '../shared/auth/role.ts';

const STORED = 'tasklane.token';

export interface Session extends TokenRights {
  readonly token: string;
  readonly subject: string;
}

/** Reads a token's claims to know what to show; whether it is good, the API says. */
export function sessionOf(token: string): Session | undefined {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
      char.charCodeAt(0),
    );
    const { sub, role, services, read } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const known = ROLES.find((each) => each === role);
    if (typeof sub !== 'string' || known === undefined) return undefined;
    return {
      token,
      subject: sub,
      role: known,
      services: Array.isArray(services) ? services.map(String) : undefined,
      readsOnly: read === true,
    };
  } catch {
    return undefined;
  }
}

export function storedSession(): Session | undefined {
  const token = sessionStorage.getItem(STORED);
  return token === null ? undefined : sessionOf(token);
}

export function storeSession({ token }: Session): void {
  sessionStorage.setItem(STORED, token);
}

export function forgetSession(): void {
  sessionStorage.removeItem(STORED);
}
