/** The API says no. */
export class Refusal extends Error {
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
