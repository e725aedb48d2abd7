/** The real local run with the example backend, and a client that speaks to it over HTTP. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type Backend, startBackend } from '../../examples/backend/server.ts';
import { exampleServices } from '../../examples/services.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { type LocalOptions, type LocalRun, startLocal } from '../../local/runtime.ts';
import { signToken } from '../../shared/auth/token.ts';
import { TERMINAL_STATUSES } from '../../shared/task/status.ts';

export const SECRETS = {
  JWT_SECRET: 'jwt-secret-of-the-tests-32-bytes-or-more',
  ID_SECRET: 'id-secret-of-the-tests-32-bytes-or-more',
  CALLBACK_SECRET: 'callback-secret-of-the-tests-32-bytes-or-more',
  WEBHOOK_SECRET: 'webhook-secret-of-the-tests-32-bytes-or-more',
};

/** A task as the API shows it; tests look at what they need. */
export interface TaskView {
  readonly id: string;
  readonly status: string;
  readonly attempts: number;
  readonly deferrals: number;
  readonly result?: unknown;
  readonly error?: { readonly class: string; readonly message: string };
  readonly progress?: unknown;
  readonly timeline: readonly { readonly event: string }[];
}

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export class Client {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  static async as(url: string, sub: string, role: 'admin' | 'client' | 'server' = 'client'): Promise<Client> {
    return new Client(url, await signToken({ sub, role }, SECRETS.JWT_SECRET, 3600));
  }

  async call<Body = Record<string, unknown>>(method: string, target: string, body?: unknown): Promise<Answer<Body>> {
    const response = await fetch(this.#url + target, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Body };
  }

  async submit(task: Record<string, unknown>): Promise<string> {
    const { status, body } = await this.call<{ id: string }>('POST', '/api/task', task);
    if (status !== 202) throw new Error(`submit answered ${status}: ${JSON.stringify(body)}`);
    return body.id;
  }

  async submitMany(tasks: readonly Record<string, unknown>[]): Promise<string[]> {
    const { status, body } = await this.call<{ results: { id?: string }[] }>('POST', '/api/tasks/batch', { tasks });
    if (status !== 202) throw new Error(`batch answered ${status}: ${JSON.stringify(body)}`);
    return body.results.map(({ id }, index) => {
      if (id === undefined) throw new Error(`item ${index} was refused: ${JSON.stringify(body.results[index])}`);
      return id;
    });
  }

  async task(id: string, waitSeconds = 0): Promise<TaskView> {
    const { status, body } = await this.call<TaskView>('GET', `/api/task/${id}?wait=${waitSeconds}`);
    if (status !== 200) throw new Error(`poll answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Every task of this client, page by page. */
  async list(query = ''): Promise<TaskView[]> {
    const tasks: TaskView[] = [];
    let cursor = '';
    do {
      const { body } = await this.call<{ tasks: TaskView[]; nextCursor?: string | null }>(
        'GET',
        `/api/tasks?limit=200${query}${cursor}`,
      );
      tasks.push(...body.tasks);
      cursor = body.nextCursor ? `&cursor=${encodeURIComponent(body.nextCursor)}` : '';
    } while (cursor !== '');
    return tasks;
  }
}

export interface Pipeline extends AsyncDisposable {
  readonly backend: Backend;
  readonly run: LocalRun;
  /** Read-only. */
  readonly database: DatabaseSync;
}

export async function startPipeline(
  options: Pick<
    LocalOptions,
    'vars' | 'services' | 'shards' | 'network' | 'secrets' | 'requestLimits' | 'cronIntervalMs'
  > = {},
): Promise<Pipeline> {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-'));
  const backend = await startBackend();
  const run = await startLocal({
    stateDir,
    services: { ...exampleServices(backend.url), ...options.services },
    secrets: options.secrets ?? SECRETS,
    ...(options.vars !== undefined && { vars: options.vars }),
    ...(options.shards !== undefined && { shards: options.shards }),
    ...(options.network !== undefined && { network: options.network }),
    ...(options.cronIntervalMs !== undefined && { cronIntervalMs: options.cronIntervalMs }),
    ...(options.requestLimits !== undefined && { requestLimits: options.requestLimits }),
  });
  const database = openDatabaseFile(stateDir);
  return {
    backend,
    run,
    database,
    [Symbol.asyncDispose]: async () => {
      database.close();
      await run.stop();
      await backend.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Counts of the rows in the database by status. */
export function statusesIn(database: DatabaseSync): Record<string, number> {
  const rows = database.prepare('SELECT status, count(*) AS tasks FROM tasks GROUP BY status').all();
  return Object.fromEntries(rows.map(({ status, tasks }) => [String(status), Number(tasks)]));
}

/** Waits until no task is open; fails after `timeoutMs`. */
export async function allEnded(database: DatabaseSync, total: number, timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const statuses = statusesIn(database);
    const ended = TERMINAL_STATUSES.reduce((sum, status) => sum + (statuses[status] ?? 0), 0);
    if (ended === total) return;
    if (Date.now() > end) throw new Error(`not all of ${total} ended: ${JSON.stringify(statuses)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
