/** The token that a request shows, in whichever header; whether a route takes it there is not said. */

export interface PresentedToken {
  readonly text: string;
  /** It came where packages of providers put their key. */
  readonly asKey: boolean;
}

const KEY_HEADERS = ['x-goog-api-key', 'x-api-key'] as const;

export function presentedToken(request: Request): PresentedToken | undefined {
  const bearer = bearerToken(request);
  if (bearer !== undefined) return { text: bearer, asKey: false };
  const key = KEY_HEADERS.map((header) => request.headers.get(header)?.trim()).find((token) => token);
  return key === undefined ? undefined : { text: key, asKey: true };
}

export function bearerToken(request: Request): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
}

/** Every header in which the request carries its token: none of them may go on to a backend. */
export function tokenHeaders(request: Request): string[] {
  const token = presentedToken(request)?.text;
  const carriers = KEY_HEADERS.filter((header) => request.headers.get(header)?.trim() === token);
  return ['authorization', ...carriers];
}
