/** Tasklane's local run with metered Workers, the example backend behind it, and a client. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { startBackend } from '../../examples/backend/server.ts';
import { exampleServices } from '../../examples/services.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { startLocal } from '../../local/runtime.ts';
import { signToken } from '../../shared/auth/token.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';
import type { Counts, Ledger } from '../workers/metered/counts.ts';

/** One shard, and batches as they are deployed: what a task costs depends on their size. */
const SHARDS = 1;

/** Only `tick` brings a round: one amid a path would be counted with a round that is measured, and write the path's statistics. */
const CRON_INTERVAL_MS = 86_400_000;

const API_KEYS = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`KEY${index + 1}`, `key-${index + 1}`]));

/** What each Worker asked of the platform, its cron's work apart. */
export type Meter = Readonly<Record<WorkerName, Readonly<Record<Ledger, Counts>>>>;

export type WorkerName = 'producer' | 'callback' | 'consumer';

export interface MeteredRun extends AsyncDisposable {
  readonly database: DatabaseSync;
  /** Of the example backend. */
  readonly backendUrl: string;
  /** The body of the answer, which must have this status. */
  call<Body>(method: string, target: string, status: number, body?: unknown): Promise<Body>;
  /** Reads what is there to its end. */
  download(target: string): Promise<void>;
  /** Registers servers of a service, all of them the example backend. */
  join(service: string, servers: number): Promise<void>;
  /** Waits until so many tasks are parked. */
  parked(tasks: number): Promise<void>;
  /** The counts since the last time. */
  takeCounts(): Promise<Meter>;
  /** Waits until so many tasks meet the condition, in SQL. */
  until(condition: string, tasks: number): Promise<void>;
  /** Waits until no task is open. */
  idle(): Promise<void>;
  tick(): Promise<void>;
}

export async function startMetered(): Promise<MeteredRun> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'tasklane-operations-'));
  const backend = await startBackend();
  const farm = await Promise.all([startBackend(), startBackend(), startBackend()]);
  /** By server. */
  const offered = new Map<string, { readonly name: string }[]>();
  const secret = () => randomBytes(48).toString('base64url');
  const secrets = {
    JWT_SECRET: secret(),
    ID_SECRET: secret(),
    CALLBACK_SECRET: secret(),
    WEBHOOK_SECRET: secret(),
    ...API_KEYS,
  };
  const keyLimits = { requestsPerMinute: 100_000 };
  const run = await startLocal({
    stateDir,
    shards: SHARDS,
    asDeployed: true,
    cronIntervalMs: CRON_INTERVAL_MS,
    services: {
      ...exampleServices(backend.url),
      // Its limits are known, so that every task finds a key at once.
      keyed: { baseUrl: backend.url, path: '/quick', keyPool: 'default', keyLimits },
      served: { path: '/quick' },
      'served-keyed': { path: '/quick', keyPool: 'default', keyLimits, auth: { origins: farm.map(({ url }) => url) } },
      late: { path: '/quick' },
      'late-ordered': { path: '/quick' },
      placed: { baseUrl: backend.url, path: '/quick', maxConcurrency: 200 },
      rationed: { baseUrl: backend.url, path: '/quick', perClient: { open: 10_000, tasksPerMinute: 100_000 } },
    },
    vars: { ACCEPT: 'queue' },
    secrets,
    mains: {
      producer: 'bench/workers/metered/producer.ts',
      callback: 'bench/workers/metered/callback.ts',
      consumer: 'bench/workers/metered/consumer.ts',
    },
  });
  const token = await signToken({ sub: 'operations', role: 'client' }, secrets.JWT_SECRET, 3600);
  const serverToken = await signToken({ sub: 'operations', role: 'server' }, secrets.JWT_SECRET, 3600);
  /** Accepted tasks: those in a queue have no row yet. */
  let submitted = 0;
  const sinceStart = smallestTaskIdAt(Date.now());
  const call = async <Body>(bearer: string, method: string, target: string, status?: number, body?: unknown) => {
    const response = await fetch(run.url + target, {
      method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Body;
    const isJob = (answer as { act?: string }).act !== undefined;
    if (response.status === 202 && !isJob)
      submitted += (answer as { results?: readonly unknown[] }).results?.length ?? 1;
    if (!response.ok || response.status !== (status ?? response.status)) {
      throw new Error(`${target}: ${response.status} ${JSON.stringify(answer)}`);
    }
    return answer;
  };
  const database = openDatabaseFile(stateDir, { readOnly: false });
  const tasksWhere = (condition: string) =>
    database.prepare(`SELECT count(*) AS tasks FROM tasks WHERE ${condition}`).get()?.tasks;

  const until = async (condition: string, tasks: number) => {
    for (let look = 0; look < 600; look++) {
      if (tasksWhere(condition) === tasks) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${condition} is not true of ${tasks} tasks after a minute`);
  };

  const countsOf = async (worker: WorkerName): Promise<Meter[WorkerName]> => {
    if (worker === 'producer') return (await fetch(`${run.url}/meter`)).json() as Promise<Meter[WorkerName]>;
    const fetcher = await run.miniflare.getWorker(worker === 'callback' ? 'tasklane-callback' : 'tasklane-consumer-0');
    return (await fetcher.fetch('http://meter/')).json() as Promise<Meter[WorkerName]>;
  };
  return {
    database,
    backendUrl: backend.url,
    call: (method, target, status, body) => call(token, method, target, status, body),
    async download(target) {
      const response = await fetch(run.url + target, { headers: { authorization: `Bearer ${token}` } });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${target}: ${response.status}`);
    },
    async join(service, servers) {
      for (const { url } of farm.slice(0, servers)) {
        const services = [...(offered.get(url) ?? []), { name: service }];
        offered.set(url, services);
        // Room for a batch: that tasks wait for a place is not what is measured.
        await call(serverToken, 'POST', '/api/servers', undefined, { url, services, maxConcurrency: 200 });
      }
    },
    parked: (tasks) => until('parked_for IS NOT NULL', tasks),
    until,
    async takeCounts() {
      const [producer, callback, consumer] = await Promise.all([
        countsOf('producer'),
        countsOf('callback'),
        countsOf('consumer'),
      ]);
      return { producer, callback, consumer };
    },
    async idle() {
      for (let look = 0; look < 600; look++) {
        const ended = tasksWhere(`finished_at IS NOT NULL AND id >= '${sinceStart}' AND length(id) = 36`);
        // Messages about ends are tasks that nobody submitted.
        const untold = tasksWhere('finished_at IS NULL AND length(id) > 36');
        // The last message is acked a moment after its row is written.
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (ended === submitted && untold === 0) return;
      }
      throw new Error('tasks are still open after a minute');
    },
    tick: () => run.tick(),
    async [Symbol.asyncDispose]() {
      database.close();
      await run.stop();
      await Promise.all([backend, ...farm].map((each) => each.stop()));
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** All Workers together. */
export function sum(all: readonly Counts[]): Counts {
  const total = (name: keyof Counts) => all.reduce((so, counts) => so + counts[name], 0);
  return {
    statements: total('statements'),
    rowsRead: total('rowsRead'),
    rowsWritten: total('rowsWritten'),
    queueWrites: total('queueWrites'),
    queueReads: total('queueReads'),
    queueDeletes: total('queueDeletes'),
    invocations: total('invocations'),
    mostInvocations: Math.max(...all.map(({ mostInvocations }) => mostInvocations)),
    durableObjectCalls: total('durableObjectCalls'),
    durableObjectRowsWritten: total('durableObjectRowsWritten'),
    bucketWrites: total('bucketWrites'),
    bucketReads: total('bucketReads'),
  };
}
