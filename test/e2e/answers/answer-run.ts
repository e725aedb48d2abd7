/** A local run whose services are the scripted backend, and whoever calls it: over HTTP and over bare sockets. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { type LocalRun, startLocal } from '../../../local/runtime.ts';
import { signToken } from '../../../shared/auth/token.ts';
import { Client, SECRETS } from '../pipeline.ts';
import { planted } from '../staged-backend.ts';
import { answer, type RawBackend, type RawRequest, type Script, startRawBackend } from './raw-backend.ts';
import { JSON_TYPE, KEY, SECOND, TEXT } from './row.ts';
import { ROWS } from './table.ts';

/** Of the service `lone`, which has this one key. */
const LONE = planted('lone');

export interface Told {
  readonly status: number | 'broken';
  readonly text: string;
  readonly headers: Headers;
}

export const scriptOf = (request: RawRequest): Script | undefined => {
  const name = request.target.split(/[/?]/)[1] ?? '';
  if (name === 'target') return { steps: ({ method, target }) => answer(200, TEXT, method === 'HEAD' ? '' : target) };
  if (name === 'later') return { steps: () => answer(202, {}) };
  if (name === 'length') return { steps: () => ['HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'] };
  if (name === 'headers')
    return { steps: (each) => answer(200, JSON_TYPE, JSON.stringify(Object.fromEntries(each.headers))) };
  if (name === 'limited')
    return { steps: () => answer(429, { ...JSON_TYPE, 'retry-after': '7' }, '{"error":{"message":"slow down"}}') };
  return ROWS[name];
};

/** Without a secret, where an answer is about limits. */
export const serviceOf = (name: string, way: 'task' | 'sync') => (isOwn(name) ? `${way}-${name}` : 'keyed');
const isOwn = (name: string) => name.startsWith('large-');

/** One a row and way: a service that is limited is limited for whoever calls it next. */
function limitedServices(baseUrl: string) {
  const names = Object.keys(ROWS)
    .filter(isOwn)
    .flatMap((name) => [serviceOf(name, 'task'), serviceOf(name, 'sync')]);
  return Object.fromEntries(names.map((name) => [name, { baseUrl, timeoutSeconds: 20 }]));
}

export class AnswerRun {
  readonly backend: RawBackend;
  readonly client: Client;
  readonly url: string;
  readonly token: string;
  readonly #run: LocalRun;
  readonly #stateDir: string;
  /** Lines of the run's log. */
  readonly logged: readonly string[];

  private constructor(run: LocalRun, backend: RawBackend, stateDir: string, token: string, logged: string[]) {
    this.#run = run;
    this.url = run.url;
    this.backend = backend;
    this.#stateDir = stateDir;
    this.logged = logged;
    this.token = token;
    this.client = new Client(run.url, token);
  }

  static async start(): Promise<AnswerRun> {
    const stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-answers-'));
    const backend = await startRawBackend(scriptOf);
    const logged: string[] = [];
    const keyed = { baseUrl: backend.url, keyPool: 'answers', timeoutSeconds: 20 };
    const run = await startLocal({
      stateDir,
      secrets: { ...SECRETS, KEY_ANSWERS_1: KEY, KEY_LONE_1: LONE, ANSWERS_SECRET: KEY, SECOND_SECRET: SECOND },
      services: {
        // Secrets in headers: a key would be given out less often than there are rows.
        keyed: {
          baseUrl: backend.url,
          timeoutSeconds: 20,
          headers: { 'x-api-key': { secret: 'ANSWERS_SECRET' }, 'x-second': { secret: 'SECOND_SECRET' } },
        },
        pooled: { ...keyed, auth: { query: 'key' } },
        ...limitedServices(backend.url),
        lone: { ...keyed, keyPool: 'lone' },
        open: { baseUrl: backend.url },
        refused: { baseUrl: 'http://127.0.0.1:9' },
      },
      log: ({ text }) => logged.push(text),
    });
    const token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
    return new AnswerRun(run, backend, stateDir, token, logged);
  }

  async stop(): Promise<void> {
    await this.#run.stop();
    await this.backend.stop();
    await rm(this.#stateDir, { recursive: true, force: true });
  }

  admin(): Promise<Client> {
    return Client.as(this.url, 'root', 'admin');
  }

  async callSync(target: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Told> {
    const response = await fetch(`${this.url}/api/service/${target}`, {
      redirect: 'manual',
      ...init,
      headers: { authorization: `Bearer ${this.token}`, ...init.headers },
    });
    let text = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
      return { status: response.status, text, headers: response.headers };
    } catch {
      return { status: 'broken', text, headers: response.headers };
    }
  }

  /** Over a socket of its own: a client's library would rewrite the target. */
  raw(method: string, target: string, more = '', encoding: BufferEncoding = 'utf8'): Promise<[number, string]> {
    const { hostname, port, host } = new URL(this.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          Buffer.from(
            `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${this.token}\r\n${more.includes('Connection') ? more : `${more}Connection: close\r\n`}\r\n`,
            encoding,
          ),
        ),
      );
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('utf8');
        const [head = '', body] = text.split('\r\n\r\n');
        const length = /content-length: (\d+)/i.exec(head)?.[1];
        if (body !== undefined && length !== undefined && Buffer.byteLength(body) >= Number(length)) socket.destroy();
      });
      socket.on('close', () => {
        const [head = '', body = ''] = text.split('\r\n\r\n');
        resolve([Number(head.split(' ')[1]), body]);
      });
      socket.on('error', reject);
      socket.setTimeout(30_000, () => socket.destroy());
    });
  }
}

/** Decoded as often as a reader would. */
export function expectNoSecret(text: string, name: string): void {
  let shown = text;
  for (let round = 0; round < 4; round++) {
    expect(shown, name).not.toContain(KEY.slice(0, 14));
    expect(shown, name).not.toContain(KEY.slice(-14));
    expect(shown, name).not.toContain(LONE.slice(0, 14));
    expect(shown.toLowerCase(), name).not.toContain(SECOND.toLowerCase());
    shown = shown
      .replaceAll(/\\u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
      .replaceAll(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
      .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
      .replaceAll('\\\\', '\\');
  }
}
