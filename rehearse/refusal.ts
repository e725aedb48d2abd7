/** The API says no. */

/**
 * For a refusal whose number is written nowhere that could be found; nothing in a deploy depends on it. The others are
 * those of developers.cloudflare.com/workers/observability/errors ("Errors on Worker upload": 10007, 10021, 10035, 10037,
 * 10054, 10055), of wrangler's source (7502, 10006, 10214, 10215, 10222), and of what people met: 10064, 10072, 11004 and
 * 100117 (github.com/cloudflare/workers-sdk/issues/3370, 15194, 5347, 9878), 11000 and 11005
 * (github.com/alchemy-run/distilled/pull/273 and 432).
 */
export const UNPUBLISHED = 0;

export class ApiRefusal extends Error {
  readonly status: number;
  readonly code: number;
  /** What it says of when to come again. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: number, message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
