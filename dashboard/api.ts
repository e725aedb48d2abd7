/** Asks the API. What it refuses is thrown with the problem's own words, which say what to do. */
import type { Call } from './operation.ts';

/** A page that waits for longer shows what it had, and asks again. */
const READ_MS = 20_000;
const ACT_MS = 60_000;

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Nobody answered: what is shown is old, whatever page it stands on. */
  readonly isOutage: boolean;
  readonly retryAfterMs: number;

  constructor(message: string, isOutage: boolean, retryAfterMs = 0) {
    super(message);
    this.isOutage = isOutage;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface Api {
  get<Answer>(call: Call, signal?: AbortSignal): Promise<Answer>;
  /** @returns the bytes of a body, which may be of any kind */
  download(call: Call): Promise<Blob>;
  send<Answer>(call: Call, body?: unknown): Promise<Answer>;
}

interface Listener {
  /** The token is not good, or not any more. */
  readonly onSignedOut: (why: string) => void;
  /** Whether the API answers; undefined when it does. */
  readonly onOutage: (why: string | undefined) => void;
}

export function apiFor(token: string, { onSignedOut, onOutage }: Listener): Api {
  const ask = async <Answer>(
    { method, address }: Call,
    signals: readonly AbortSignal[],
    body: string | undefined,
    read: (response: Response) => Promise<Answer>,
  ): Promise<Answer> => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    let answer: { readonly read: Answer } | { readonly status: number; readonly refusal: string };
    try {
      const signal = AbortSignal.any([...signals]);
      const response = await fetch(address, { method, headers, signal, ...(body !== undefined && { body }) });
      answer = response.ok
        ? { read: await read(response) }
        : { status: response.status, refusal: await response.text() };
    } catch (error) {
      // Whoever asked does not wait any more.
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      const isLate = error instanceof DOMException && error.name === 'TimeoutError';
      const why = isLate ? 'Tasklane does not answer.' : 'Tasklane cannot be reached: is this computer online?';
      onOutage(why);
      throw new ApiError(why, true);
    }
    onOutage(undefined);
    if ('read' in answer) return answer.read;
    const { message, retryAfterMs } = problemIn(answer.refusal, answer.status);
    if (answer.status === 401) onSignedOut(message);
    throw new ApiError(message, false, retryAfterMs);
  };
  const askJson = async <Answer>(call: Call, signals: readonly AbortSignal[], body?: unknown): Promise<Answer> => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const text = await ask(call, signals, sent, (response) => response.text());
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  };
  return {
    get: (call, signal) => askJson(call, [AbortSignal.timeout(READ_MS), ...(signal === undefined ? [] : [signal])]),
    send: async (call, body) => {
      try {
        return await askJson(call, [AbortSignal.timeout(ACT_MS)], body);
      } catch (error) {
        if (!(error instanceof ApiError && error.isOutage)) throw error;
        throw new ApiError(`${error.message} Look whether it was done before you do it again.`, true);
      }
    },
    download: (call) => ask(call, [], undefined, (response) => response.blob()),
  };
}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly field: string; readonly reason: string }[];
  readonly retryAfterSeconds?: number;
}

/** The detail names the first field that is wrong; the others follow. */
function problemIn(text: string, status: number): { readonly message: string; readonly retryAfterMs: number } {
  try {
    const { title, detail, errors = [], retryAfterSeconds = 0 } = JSON.parse(text) as Problem;
    const others = errors.slice(1).map(({ field, reason }) => `${field}: ${reason}`);
    const message = [detail ?? title, ...others].filter((each) => each !== undefined).join('; ');
    if (message !== '') return { message, retryAfterMs: retryAfterSeconds * 1000 };
  } catch {
    // Not of Tasklane: a proxy's page.
  }
  return { message: `Something before Tasklane answered ${status}; it is asked again.`, retryAfterMs: 0 };
}
