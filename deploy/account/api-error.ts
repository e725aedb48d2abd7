/**
 * What a token must be allowed for the calls below an address: the names that the dashboard gives permissions when a token
 * is made (developers.cloudflare.com/fundamentals/api/reference/permissions; the API calls "Edit" "Write"). That page does
 * not list the one for logs: the page of the call that queries them names the writing one (docs/operating.md).
 */
const PERMISSIONS: readonly (readonly [path: RegExp, permission: string])[] = [
  [/^\/workers\/observability\//, 'Workers Observability: Edit'],
  [
    /\/domains\/records$|^\/workers\/domains/,
    'Workers Scripts: Edit, and on the zone Workers Routes: Edit and DNS: Edit',
  ],
  [/^\/workers\//, 'Workers Scripts: Edit'],
  [/^\/queues/, 'Queues: Edit'],
  [/^\/d1\//, 'D1: Edit'],
  [/^\/r2\//, 'Workers R2 Storage: Edit'],
];

/** What a person can do about a refusal that is about the token; undefined when it is about something else. */
export function remedyOf(status: number, path: string): string | undefined {
  if (status === 401) return 'CLOUDFLARE_API_TOKEN is wrong, has expired, or was revoked';
  if (status !== 403) return undefined;
  const permission = PERMISSIONS.find(([below]) => below.test(path))?.[1];
  return permission && `CLOUDFLARE_API_TOKEN needs ${permission}, for this account`;
}

/** The API refused, or did not answer; the message says what was asked and what it said. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0 when there was no answer. */
  readonly status: number;
  /** Cloudflare's own number for what is wrong. */
  readonly code: number | undefined;
  /** How long the API asks to be left alone; 0 when it does not say. */
  readonly retryAfterMs: number;

  constructor(
    what: string,
    status: number,
    said: string,
    more: { readonly code?: number | undefined; readonly retryAfterMs?: number } = {},
  ) {
    super(`${what}: ${status === 0 ? '' : `${status} `}${said}`);
    this.status = status;
    this.code = more.code;
    this.retryAfterMs = more.retryAfterMs ?? 0;
  }

  /** The same call may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** What is said of something that was made a moment ago and is not known everywhere, or is still being written. */
  get isUnsettled(): boolean {
    return this.status === 404 || this.status === 409;
  }
}
