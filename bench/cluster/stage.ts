/** What a cluster runs before: the real local run with one service that lives on registered servers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabaseFile } from '../../local/database-file.ts';
import { type RoleTokens, signRoleTokens } from '../../local/role-tokens.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import { Machine, type MachineOptions } from './machine.ts';

export const SERVICE = 'work';
/** Short, so that a take-over is seen in seconds; not so short that a busy machine misses one. */
export const HEARTBEAT_SECONDS = 2;

const SECRETS = {
  JWT_SECRET: 'jwt-secret-of-the-benchmark-32-bytes-or-more',
  ID_SECRET: 'id-secret-of-the-benchmark-32-bytes-or-more',
  CALLBACK_SECRET: 'callback-secret-of-the-benchmark-32-bytes-or-more',
  WEBHOOK_SECRET: 'webhook-secret-of-the-benchmark-32-bytes-or-more',
};

const BATCH = 100;

export interface TaskCounts {
  readonly total: number;
  readonly succeeded: number;
  /** Failed, expired or cancelled. */
  readonly failed: number;
  readonly runs: number;
  readonly deferrals: number;
}

/** A server as `GET /api/servers` shows it. */
export interface ServerEntry {
  readonly id: string;
  readonly url: string;
  readonly state: string;
  readonly isHeartbeatLeader: boolean;
  /** ISO 8601. */
  readonly lastHeardAt: string;
  readonly services: readonly { readonly name: string; readonly version?: string }[];
}

export class Stage implements AsyncDisposable {
  readonly machines: Machine[] = [];
  readonly #dir: string;
  readonly #log: (text: string) => void;
  #run: LocalRun;
  #before: TaskCounts = { total: 0, succeeded: 0, failed: 0, runs: 0, deferrals: 0 };
  readonly tokens: RoleTokens;

  private constructor(dir: string, run: LocalRun, tokens: RoleTokens, log: (text: string) => void) {
    this.#dir = dir;
    this.#run = run;
    this.tokens = tokens;
    this.#log = log;
  }

  static async open(log: (text: string) => void = () => {}): Promise<Stage> {
    const dir = await mkdtemp(path.join(tmpdir(), 'tasklane-cluster-'));
    return new Stage(dir, await startRun(dir, 0, log), await signRoleTokens(SECRETS.JWT_SECRET), log);
  }

  get url(): string {
    return this.#run.url;
  }

  /** A machine whose server is registered. */
  async addMachine(options: Pick<MachineOptions, 'name' | 'conduct' | 'weight' | 'port'>): Promise<Machine> {
    const machine = await Machine.start({
      ...options,
      dir: this.#dir,
      coordinator: this.url,
      token: this.tokens.server,
      service: SERVICE,
    });
    this.machines.push(machine);
    await machine.startAgent();
    return machine;
  }

  /** All machines leave in order; tasks are counted anew. */
  async clear(): Promise<void> {
    await Promise.all(this.machines.splice(0).map((machine) => machine.retire()));
    this.#before = addCounts(this.#before, this.counts(), 1);
  }

  /** Stops the whole local run and starts it again, on the same port with the same database. */
  async restart(): Promise<void> {
    const { port } = this.#run;
    await this.#run.stop();
    this.#run = await startRun(this.#dir, port, this.#log);
  }

  async call<Body = unknown>(role: keyof RoleTokens, method: string, target: string, body?: unknown): Promise<Body> {
    const response = await fetch(this.url + target, {
      method,
      headers: { authorization: `Bearer ${this.tokens[role]}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${target} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Body;
  }

  async submit(count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      const tasks = Array.from({ length: Math.min(BATCH, left) }, () => ({
        service: SERVICE,
        path: '/run',
        payload: {},
      }));
      const { results } = await this.call<{ results: { id?: string }[] }>('client', 'POST', '/api/tasks/batch', {
        tasks,
      });
      if (results.some(({ id }) => id === undefined)) throw new Error(`refused: ${JSON.stringify(results)}`);
    }
  }

  servers(): Promise<readonly ServerEntry[]> {
    return this.call<{ servers: ServerEntry[] }>('admin', 'GET', '/api/servers').then(({ servers }) => servers);
  }

  /** Of the tasks since the last `clear`. */
  counts(): TaskCounts {
    using database = openDatabaseFile(stateDirIn(this.#dir));
    const row = database
      .prepare(
        `SELECT count(*) AS total, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE finished_at IS NOT NULL AND status <> 'succeeded') AS failed,
           coalesce(sum(run), 0) AS runs, coalesce(sum(deferrals), 0) AS deferrals FROM tasks`,
      )
      .get() as unknown as TaskCounts;
    return addCounts(row, this.#before, -1);
  }

  /** @throws Error when not all have ended in time */
  async allEnded(total: number, timeoutMs: number): Promise<TaskCounts> {
    const giveUpAt = Date.now() + timeoutMs;
    for (;;) {
      const counts = this.counts();
      if (counts.succeeded + counts.failed === total) return counts;
      if (Date.now() > giveUpAt) throw new Error(`not all of ${total} ended: ${JSON.stringify(counts)}`);
      await sleep(250);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.machines.map((machine) => machine.kill()));
    await this.#run.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function stateDirIn(dir: string): string {
  return path.join(dir, 'state');
}

function addCounts(one: TaskCounts, other: TaskCounts, times: 1 | -1): TaskCounts {
  return {
    total: one.total + times * other.total,
    succeeded: one.succeeded + times * other.succeeded,
    failed: one.failed + times * other.failed,
    runs: one.runs + times * other.runs,
    deferrals: one.deferrals + times * other.deferrals,
  };
}

function startRun(dir: string, port: number, log: (text: string) => void): Promise<LocalRun> {
  return startLocal({
    port,
    stateDir: stateDirIn(dir),
    services: { [SERVICE]: { timeoutSeconds: 20, retry: { maxAttempts: 8, baseSeconds: 1, capSeconds: 4 } } },
    secrets: SECRETS,
    vars: { HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS) },
    log: ({ text }) => log(text),
  });
}
