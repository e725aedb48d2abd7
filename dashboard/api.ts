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
  /** @returns the bytes of a body, which may be of any kind */
  download(path: string): Promise<Blob>;
  send<Answer>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Answer>;
}

/** @param onSignedOut the token is not good, or not any more */
export function apiFor(token: string, onSignedOut: (why: string) => void): Api {
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
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
    if (response.ok) return response;
    const message = problemText(await response.text()) ?? `The answer was ${response.status}.`;
    if (response.status === 401) onSignedOut(message);
    throw new ApiError(response.status, message);
  };
  const askJson = async <Answer>(path: string, init: RequestInit): Promise<Answer> => {
    const text = await (await ask(path, init)).text();
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  };
  return {
    get: (path, signal) => askJson(path, signal === undefined ? {} : { signal }),
    send: (method, path, body) => askJson(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) }),
    download: async (path) => (await ask(path, {})).blob(),
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
