/** Who is signed in: a token that the browser keeps until its tab is closed. */
import type { Role } from '../shared/auth/role.ts';

const STORED = 'tasklane.token';

export interface Session {
  readonly token: string;
  readonly subject: string;
  readonly role: Role;
}

/** Reads a token's claims to know what to show; whether it is good, the API says. */
export function sessionOf(token: string): Session | undefined {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
      char.charCodeAt(0),
    );
    const { sub, role } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; role?: unknown };
    if (typeof sub !== 'string' || typeof role !== 'string') return undefined;
    return { token, subject: sub, role: role as Role };
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
