/**
 * A backend that answers as it was told: per task a list of answers, taken one by one, and a success
 * when the list is used up. It keeps every call it gets.
 */
import { readReportToken } from '../../shared/key/report-token.ts';
import { type Clock, never } from './clock.ts';
import type { Invocation } from './faults.ts';

export interface BackendCall {
  readonly id: string;
  /** From the callback token: the run that the caller speaks for. */
  readonly run: number;
  readonly attempt: number;
  readonly token: string;
  readonly deadline: number;
  readonly startedAt: number;
  readonly request: Request;
  readonly caller: Invocation;
  endedAt: number | undefined;
  /** What was answered; `undefined` while it works, `broken` when there is no answer. */
  ending: number | 'broken' | 'aborted' | undefined;
}

export type Answer = (call: BackendCall) => Response | Promise<Response>;

/** An error as the runtime reports a connection that gave no answer. */
export class ConnectionError extends Error {
  readonly retryable = true;
}

export const ok =
  (result?: unknown): Answer =>
  (call) =>
    Response.json(result ?? { by: call.run });
export const accepted = (): Answer => () => new Response(null, { status: 202 });
export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(`status ${code}`, { status: code, headers });
export const refused = (): Answer => () => {
  throw new ConnectionError('Network connection lost.');
};

export class Backend {
  readonly calls: BackendCall[] = [];
  /** `DELETE`s that told of a cancellation. */
  readonly told: string[] = [];
  readonly toldAt: string[] = [];
  /** Hosts where nobody listens. */
  readonly refusing = new Set<string>();
  readonly #answers = new Map<string, Answer[]>();
  readonly #clock: Clock;
  #underWay = 0;
  /** The most calls that were under way at a time. */
  mostAtOnce = 0;
  /** Answers what no list has an answer for. */
  fallback: Answer = ok();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What the task's next calls are answered. */
  answer(id: string, ...answers: Answer[]): void {
    this.#answers.set(id, [...(this.#answers.get(id) ?? []), ...answers]);
  }

  /** Answers after a while. */
  after(ms: number, answer: Answer): Answer {
    return async (call) => {
      await this.#clock.sleep(ms, call.request.signal);
      return answer(call);
    };
  }

  /** Never answers. */
  silent(): Answer {
    return never;
  }

  /** The connections of a killed caller break. */
  hangUp(caller: Invocation): void {
    for (const call of this.calls) {
      if (call.caller !== caller || call.endedAt !== undefined) continue;
      call.endedAt = Date.now();
      call.ending = 'broken';
    }
  }

  callsOf(id: string): BackendCall[] {
    return this.calls.filter((call) => call.id === id);
  }

  async fetch(request: Request, caller: Invocation): Promise<Response> {
    const { headers } = request;
    const id = headers.get('task-id') ?? '';
    if (request.method === 'DELETE') {
      this.told.push(id);
      this.toldAt.push(request.url);
      return new Response(null, { status: 204 });
    }
    const { signal } = request;
    if (signal.aborted) throw signal.reason;
    const { token } = readReportToken(headers.get('task-callback-token') ?? '');
    const call: BackendCall = {
      id,
      run: Number.parseInt(token, 10),
      attempt: Number(headers.get('task-attempt')),
      token,
      deadline: Date.parse(headers.get('task-deadline') ?? ''),
      startedAt: Date.now(),
      request,
      caller,
      endedAt: undefined,
      ending: undefined,
    };
    this.calls.push(call);
    this.#underWay += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    try {
      // The caller hangs up whatever the backend does.
      const hungUp = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
      const answer = this.#answers.get(id)?.shift() ?? this.fallback;
      const response = await Promise.race([Promise.resolve(call).then(answer), hungUp]);
      call.ending ??= response.status;
      return response;
    } catch (error) {
      call.ending ??= signal.aborted ? 'aborted' : 'broken';
      throw error;
    } finally {
      call.endedAt ??= Date.now();
      this.#underWay -= 1;
    }
  }
}
