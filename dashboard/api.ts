/** Asks the API. What it refuses is thrown with the problem's own words, which say what to do. */

class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Api {
  get<Answer>(path: string, signal?: AbortSignal): Promise<Answer>;
  send<Answer>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>;
}

/** @param onSignedOut the token is not good, or not any more */
export function apiFor(token: string, onSignedOut: (why: string) => void): Api {
  const ask = async <Answer>(path: string, init: RequestInit): Promise<Answer> => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(init.body != null && { 'content-type': 'application/json' }),
    };
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiError(0, 'Tasklane cannot be reached.');
    }
    const text = await response.text();
    if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as Answer;
    const message = problemText(text) ?? `The answer was ${response.status}.`;
    if (response.status === 401) onSignedOut(message);
    throw new ApiError(response.status, message);
  };
  return {
    get: (path, signal) => ask(path, signal === undefined ? {} : { signal }),
    send: (method, path, body) => ask(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) }),
  };
}

function problemText(text: string): string | undefined {
  try {
    const { title, detail } = JSON.parse(text) as { title?: string; detail?: string };
    return detail ?? title;
  } catch {
    return undefined;
  }
}
