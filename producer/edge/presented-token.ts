/** The token that a request shows, in whichever header; whether a route takes it there is not said. */

export interface PresentedToken {
  readonly text: string;
  /** It came where packages of providers put their key. */
  readonly asKey: boolean;
}

const KEY_HEADERS = ['x-goog-api-key', 'x-api-key'] as const;

type HeaderFields = Headers | ReadonlyMap<string, string>;

export function presentedToken(headers: HeaderFields): PresentedToken | undefined {
  const bearer = bearerToken(headers);
  if (bearer !== undefined) return { text: bearer, asKey: false };
  const key = KEY_HEADERS.map((header) => headers.get(header)?.trim()).find((token) => token);
  return key === undefined ? undefined : { text: key, asKey: true };
}

export function bearerToken(headers: HeaderFields): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(headers.get('authorization') ?? '')?.[1];
}

/** Every header in which the request carries its token: none of them may go on to a backend. */
export function tokenHeaders(headers: HeaderFields): string[] {
  const token = presentedToken(headers)?.text;
  const carriers = KEY_HEADERS.filter((header) => headers.get(header)?.trim() === token);
  return ['authorization', ...carriers];
}
