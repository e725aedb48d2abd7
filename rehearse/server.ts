/**
 * The stub of Cloudflare's API: a real HTTP server in front of an account in memory. It writes down every
 * call, looks at what it gets, checks after every change that what is there works, and fails where it is told to.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { FakeCloudflare } from './fake-cloudflare.ts';
import { FAULTS, type Fault } from './faults.ts';
import { faultsOf, leaks } from './invariants.ts';
import { Page } from './page.ts';
import { ApiRefusal } from './refusal.ts';
import { type ApiRequest, routeOf } from './routes.ts';
import { namesIn, type TransientOptions, TransientRefusals } from './transient.ts';

export interface StubOptions extends TransientOptions {
  /** Values that may go into secrets and nowhere else. */
  readonly secrets: readonly string[];
  /** By kind of Worker. */
  readonly requiredSecrets: Readonly<Record<string, readonly string[]>>;
  /** Messages that may be lost, because somebody said so. */
  readonly mayLoseMessages?: boolean;
}

export interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly changes: boolean;
  readonly status: number;
}

const API_PATH = '/client/v4';

interface Outcome {
  readonly status: number;
  readonly result: unknown;
  readonly retryAfterSeconds?: number | undefined;
}

export class CloudflareStub {
  readonly accountId = '0123456789abcdef0123456789abcdef';
  readonly token = 'token-of-the-rehearsal';
  readonly cloud: FakeCloudflare;
  /** What should not have happened. */
  readonly violations: string[] = [];
  calls: ApiCall[] = [];
  fault: Fault | undefined;
  /** Told when a fault ends the process that deploys. */
  onCrash: () => void = () => {};

  readonly #options: StubOptions;
  readonly #server = createServer(
    (request, response) => void this.#answer(request, response).catch((error: unknown) => this.#note(request, error)),
  );
  readonly #transient: TransientRefusals;
  /** What a lasting fault has broken: method and path. */
  #broken: string | undefined;
  #failed = false;

  constructor(options: StubOptions, cloud = new FakeCloudflare()) {
    this.#options = options;
    this.#transient = new TransientRefusals(options);
    this.cloud = cloud;
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${API_PATH}`;
  }

  /** A new run begins: calls are counted from one, and what was broken is whole again. */
  startRun(fault?: Fault): void {
    this.calls = [];
    this.fault = fault;
    this.#broken = undefined;
    this.#failed = false;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Who crashed in the middle of a request has not asked; anything else is a fault of the stub. */
  #note(incoming: IncomingMessage, error: unknown): void {
    if (!incoming.complete) return;
    this.violations.push(`the stub failed: ${error instanceof Error ? error.message : String(error)}`);
    incoming.socket.destroy();
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://stub');
    const account = `${API_PATH}/accounts/${this.accountId}`;
    const request: ApiRequest = {
      method: incoming.method ?? 'GET',
      path: url.pathname.startsWith(account) ? url.pathname.slice(account.length) : url.pathname,
      query: url.searchParams,
      contentType: incoming.headers['content-type'] ?? '',
      body: await buffer(incoming),
    };
    this.violations.push(...leaks(request, this.#options.secrets));
    if (incoming.headers.authorization !== `Bearer ${this.token}`) {
      return reply(response, 401, refusal(10000, 'Authentication error'));
    }
    const { answer, result, retryAfterSeconds } = await this.#handle(request);
    if (answer === 'none') return;
    if (answer === 'lost connection') incoming.socket.destroy();
    else reply(response, answer, result, retryAfterSeconds);
  }

  async #handle(
    request: ApiRequest,
  ): Promise<Omit<Outcome, 'status'> & { readonly answer: number | 'lost connection' | 'none' }> {
    const what = `${request.method} ${request.path}`;
    const call = this.calls.length + 1;
    const meets = this.fault !== undefined && ((!this.#failed && this.fault.call === call) || this.#broken === what);
    const effect = meets && this.fault !== undefined ? FAULTS[this.fault.kind] : undefined;
    if (effect !== undefined) {
      this.#failed = true;
      if (effect.stays) this.#broken = what;
    }
    // Counted before it is done: calls at the same time have numbers of their own.
    const noted = { method: request.method, path: request.path, changes: false, status: 0 };
    this.calls.push(noted);
    if (effect === undefined || effect.takesEffect) Object.assign(noted, await this.#run(request));
    if (effect?.endsRun === true) this.onCrash();
    const { status, result, retryAfterSeconds } = noted as typeof noted & Partial<Outcome>;
    return effect === undefined
      ? { answer: status, result, retryAfterSeconds }
      : { answer: effect.answer, result: refusal(0, 'injected') };
  }

  async #run(request: ApiRequest): Promise<Outcome & { readonly changes: boolean }> {
    try {
      const { changes, run } = routeOf(request);
      this.#transient.check(request.method, request.path);
      if (changes) this.#look(request);
      const before = namesIn(this.cloud);
      const result = await run(this.cloud);
      if (changes) this.#transient.noteMade(before, this.cloud);
      if (changes) {
        const found = faultsOf(this.cloud, this.#options.requiredSecrets);
        this.violations.push(...found.map((fault) => `after ${request.method} ${request.path}: ${fault}`));
        await this.cloud.follow();
      }
      const answer = result instanceof Page ? result.answer(request.query) : { result };
      return { status: 200, result: { success: true, errors: [], messages: [], ...answer }, changes };
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      const { status, code, message, retryAfterSeconds } = error;
      return { status, result: refusal(code, message), changes: false, retryAfterSeconds };
    }
  }

  /** Changes that the platform would make and nobody should ask for. */
  #look({ method, path }: ApiRequest): void {
    if (method !== 'DELETE') return;
    const [, kind, id = ''] = /^\/(queues|workers\/scripts)\/([^/]+)$/.exec(path) ?? [];
    if (kind === 'queues') {
      const queue = this.cloud.queues.get(id);
      const senders = queue === undefined ? [] : this.cloud.sendersTo(queue.name);
      for (const { name } of senders) this.violations.push(`${queue?.name} is deleted while ${name} sends to it`);
      if ((queue?.backlog ?? 0) > 0 && this.#options.mayLoseMessages !== true) {
        this.violations.push(`${queue?.name} is deleted with ${queue?.backlog} messages in it`);
      }
    }
    if (kind === 'workers/scripts') {
      for (const name of this.cloud.boundTo(id)) this.violations.push(`${id} is deleted while ${name} is bound to it`);
    }
  }
}

function refusal(code: number, message: string) {
  return { success: false, errors: [{ code, message }], messages: [], result: null };
}

function reply(response: ServerResponse, status: number, body: unknown, retryAfterSeconds?: number): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(JSON.stringify(body));
}
