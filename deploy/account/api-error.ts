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
