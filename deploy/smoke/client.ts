/** What a smoke test asks of a deployment: through its public address, with a token of its own, like anybody else. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { signToken } from '../../shared/auth/token.ts';
import { OPEN_STATUSES } from '../../shared/task/status.ts';
import { DeployError } from '../deploy-error.ts';

export type Ask = (url: string, init?: RequestInit) => Promise<Response>;

const AcceptedSchema = z.looseObject({ id: z.string() });
const BatchSchema = z.looseObject({ results: z.array(z.looseObject({ id: z.string() })) });
const EchoSchema = z.looseObject({ calledAt: z.number(), answeredAt: z.number() });
const TaskSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  attempts: z.number(),
  result: z.unknown().optional(),
  error: z.looseObject({ message: z.string() }).nullish(),
});

export interface EndedTask {
  readonly id: string;
  readonly status: string;
  readonly attempts: number;
  readonly call: { readonly calledAt: number; readonly answeredAt: number } | undefined;
  readonly error: string | undefined;
}

const OPEN: ReadonlySet<string> = new Set(OPEN_STATUSES);

const TOKEN_SECONDS = 900;

/** New addresses and new versions take a while to be known everywhere. */
const REACHED_WITHIN_MS = 90_000;
const ENDED_WITHIN_MS = 120_000;

export class SmokeClient {
  readonly #ask: Ask;
  readonly #url: string;
  readonly #token: string;
  readonly #signal: AbortSignal;

  private constructor(ask: Ask, url: string, token: string, signal: AbortSignal) {
    this.#ask = ask;
    this.#url = url;
    this.#token = token;
    this.#signal = signal;
  }

  static async to(url: string, jwtSecret: string, ask: Ask, signal: AbortSignal): Promise<SmokeClient> {
    const token = await signToken({ role: 'admin', sub: 'smoke', jti: crypto.randomUUID() }, jwtSecret, TOKEN_SECONDS);
    return new SmokeClient(ask, url, token, signal);
  }

  /** Asks until the address answers with success. @throws DeployError saying what it answered last */
  async reach(url: string): Promise<void> {
    const endAt = Date.now() + REACHED_WITHIN_MS;
    for (;;) {
      const said = await this.#ask(url, { signal: this.#signal }).then(
        async (response) => (response.ok ? undefined : `${response.status} ${(await response.text()).slice(0, 200)}`),
        (error: unknown) => String(error),
      );
      if (said === undefined) return;
      this.#signal.throwIfAborted();
      if (Date.now() > endAt) throw new DeployError(`${url} does not answer as it should: ${said}`);
      await sleep(1_000, undefined, { signal: this.#signal });
    }
  }

  health(): Promise<void> {
    return this.reach(`${this.#url}/healthz`);
  }

  async define(service: string, definition: object): Promise<void> {
    await this.#send('PUT', `/api/services/${service}`, z.unknown(), definition);
  }

  async forget(service: string): Promise<void> {
    const response = await this.#request('DELETE', `/api/services/${service}?force=true`);
    if (!response.ok && response.status !== 404) throw await failure('DELETE', service, response);
  }

  async submit(service: string, payload: object = { smoke: true }): Promise<string> {
    return (await this.#send('POST', '/api/task', AcceptedSchema, { service, payload })).id;
  }

  async submitMany(service: string, count: number): Promise<string[]> {
    const tasks = Array.from({ length: count }, (_, index) => ({ service, payload: { smoke: index } }));
    return (await this.#send('POST', '/api/tasks/batch', BatchSchema, { tasks })).results.map(({ id }) => id);
  }

  /** @throws DeployError when it does not end in time */
  async wait(id: string): Promise<EndedTask> {
    const endAt = Date.now() + ENDED_WITHIN_MS;
    for (;;) {
      const task = await this.#send('GET', `/api/task/${id}?wait=20`, TaskSchema);
      if (!OPEN.has(task.status)) {
        const { status, attempts, result, error } = task;
        return { id, status, attempts, call: EchoSchema.safeParse(result).data, error: error?.message };
      }
      if (Date.now() > endAt) throw new DeployError(`task ${id} is still ${task.status}`);
    }
  }

  async #send<Schema extends z.ZodType>(
    method: string,
    path: string,
    schema: Schema,
    body?: object,
  ): Promise<z.output<Schema>> {
    const response = await this.#request(method, path, body);
    if (!response.ok) throw await failure(method, path, response);
    return schema.parse(await response.json());
  }

  #request(method: string, path: string, body?: object): Promise<Response> {
    return this.#ask(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: this.#signal,
    });
  }
}

async function failure(method: string, path: string, response: Response): Promise<DeployError> {
  return new DeployError(`${method} ${path}: ${response.status} ${(await response.text()).slice(0, 300)}`);
}
