/**
 * A row of the bench through the consumer's real batches and the pools with their hosts, in virtual time: queue,
 * ledger and provider are models of what they do, with the delays and limits of a deployment or of the local run.
 */
import type { ConsumerEnv } from '../../consumer/env.ts';
import { KeyPoolHost } from '../../consumer/keys/pool/host.ts';
import type { KeyRequest } from '../../consumer/keys/pool/lease.ts';
import { membersOf } from '../../consumer/keys/pool/members.ts';
import type { KeyRelease } from '../../consumer/keys/pool/release.ts';
import { readConsumerKeys } from '../../consumer/keys/secrets/consumer-keys.ts';
import { ProviderKey, type Random, randomFrom, type Said } from '../capacity/provider.ts';
import type { BatchPlatform, Result, Scenario, SimulatedTask } from '../capacity/simulation.ts';
import { consumerEnv } from './consumer-env.ts';
import { LedgerModel, passed } from './ledger.ts';
import { PLATFORMS, type Platform, ShardQueue } from './shard-queue.ts';
import { VirtualClock } from './virtual-clock.ts';

const SERVICE = 'bench';
const POOL = 'default';
const MAX_MS = 8 * 3_600_000;
const BEGINS_AT = Date.UTC(2026, 10, 20);

export async function simulateBatches(scenario: Scenario, platform: BatchPlatform, seed: number): Promise<Result> {
  const simulation = new BatchSimulation(scenario, PLATFORMS[platform], randomFrom(seed));
  await simulation.prepare();
  const { log, warn, error } = console;
  // Consumers log what befalls them.
  Object.assign(console, { log: () => undefined, warn: () => undefined, error: () => undefined });
  try {
    return await simulation.run();
  } finally {
    Object.assign(console, { log, warn, error });
  }
}

interface CalledTask {
  readonly task: SimulatedTask;
  calls: number;
  /** Of the call that was let in. */
  key: number | undefined;
}

class BatchSimulation {
  readonly #scenario: Scenario;
  readonly #platform: Platform;
  readonly #random: Random;
  readonly #ledger: LedgerModel;
  readonly #shards: readonly number[];
  readonly #queues: ShardQueue[] = [];
  readonly #pools: KeyPoolHost[] = [];
  readonly #tasks = new Map<string, CalledTask>();
  /** By key and bucket. */
  readonly #provider = new Map<string, ProviderKey>();
  readonly #starts: number[] = [];
  readonly #refusals: number[] = [];

  constructor(scenario: Scenario, platform: Platform, random: Random) {
    this.#scenario = scenario;
    this.#platform = platform;
    this.#random = random;
    this.#ledger = new LedgerModel(platform.rpcMs);
    this.#shards = [...scenario.keys.keys()];
  }

  /** What takes real time, digests of the keys, comes before virtual time. */
  async prepare(): Promise<void> {
    let number = 0;
    for (const [shard, count] of this.#scenario.keys.entries()) {
      const secrets = Array.from({ length: count }, () => [`KEY${++number}`, `sk-bench-key-number-${number}`]);
      const env = this.#consumer(shard, Object.fromEntries(secrets));
      await membersOf(env.keys.ring, POOL);
      this.#queues.push(new ShardQueue(this.#platform, env));
      this.#pools.push(this.#pool(shard));
    }
  }

  async run(): Promise<Result> {
    using clock = new VirtualClock(BEGINS_AT);
    const { tasks } = this.#scenario;
    for (const task of tasks) setTimeout(() => this.#submit(task), task.arrivesAt);
    await clock.pass(MAX_MS, () => this.#tasks.size === tasks.length && this.#ledger.open === 0);
    const results = Array.from(this.#ledger.rows.values(), ({ id, startedAt, endedAt, outcome, deferrals }) => {
      const times = { startedAt: startedAt && startedAt - BEGINS_AT, endedAt: endedAt && endedAt - BEGINS_AT };
      return { ...existing(this.#tasks.get(id)), ...times, outcome, deferrals };
    });
    return {
      ms: Math.max(...results.map(({ endedAt = 0 }) => endedAt)),
      calls: this.#starts.length,
      limited: this.#refusals.length,
      tasks: results,
      starts: this.#starts,
      refusals: this.#refusals,
      rates: [],
    };
  }

  #submit(task: SimulatedTask): void {
    const { bucket, shard = 0 } = task;
    const { id, message } = this.#ledger.submit(
      SERVICE,
      bucket === undefined ? {} : { headers: { 'x-model': bucket } },
    );
    this.#tasks.set(id, { task, calls: 0, key: undefined });
    existing(this.#queues[shard]).send(message);
  }

  #consumer(shard: number, secrets: Record<string, string>): ConsumerEnv {
    const pool = {
      lease: (request: KeyRequest) => this.#ledger.answer(() => existing(this.#pools[shard]).lease(request)),
      release: (request: KeyRelease) => this.#ledger.answer(() => existing(this.#pools[shard]).release(request)),
    };
    const sender = (to: number) => ({
      send: async (...[body, options]: Parameters<ConsumerEnv['ownQueue']['send']>) =>
        existing(this.#queues[to]).send(body, options?.delaySeconds),
    });
    const numbers = Object.keys(secrets).map((name) => Number(name.slice('KEY'.length)));
    const services = { [SERVICE]: { baseUrl: 'http://bench.test', keyPool: POOL, keyLimits: { bucket: 'x-model' } } };
    return consumerEnv(services, (known) => ({
      shard: String(shard),
      ledger: { open: async () => this.#ledger.session() },
      connections: this.#platform.connections,
      ownQueue: sender(shard),
      outbound: (url: string, init: RequestInit) =>
        this.#call(new URL(url).pathname.slice(1), new Headers(init.headers)),
      keys: readConsumerKeys(
        {
          ...secrets,
          ...Object.fromEntries(this.#shards.map((other) => [`TASK_QUEUE_${other}`, sender(other)])),
          KEY_SHARDS: { [POOL]: this.#shards },
          ...(this.#scenario.shared === 'stated' && { KEY_GROUPS: { [POOL]: { all: numbers } } }),
          KEY_POOL: { getByName: () => pool },
        },
        String(shard),
        known,
      ),
    }));
  }

  /** The object of a shard's pool, which stays in memory; its alarm rings. */
  #pool(shard: number): KeyPoolHost {
    let alarm: ReturnType<typeof setTimeout> | undefined;
    const host: KeyPoolHost = new KeyPoolHost(POOL, {
      storage: { read: () => [], write: () => undefined, writeOne: () => undefined },
      setAlarm: async (at) => {
        if (alarm !== undefined) clearTimeout(alarm);
        alarm = setTimeout(() => void host.ring(), at - Date.now());
      },
      releaseLine: (request) =>
        this.#ledger.release(request, (message) => existing(this.#queues[request.shard ?? shard]).send(message)),
      readSwitches: async () => [],
      keepSwitch: async () => undefined,
      inBackground: () => undefined,
    });
    return host;
  }

  async #call(id: string, headers: Headers): Promise<Response> {
    const called = existing(this.#tasks.get(id));
    const key = Number(/(\d+)$/.exec(headers.get('authorization') ?? '')?.[1]);
    const now = Date.now() - BEGINS_AT;
    const atProvider = this.#keyAtProvider(key, called.task.bucket);
    const { keyAnswer, latencyMs } = this.#scenario;
    const said = keyAnswer?.(key, now) ?? called.task.answer?.(now, called.calls) ?? atProvider.call(now);
    called.calls += 1;
    this.#starts.push(now);
    if (said.status === 429) this.#refusals.push(now);
    if (said.status >= 400) {
      await passed(5 + 10 * this.#random());
      return responseOf(said);
    }
    this.#ledger.row(id).startedAt = Date.now();
    called.key = key;
    await passed(latencyMs * (0.7 + 0.6 * this.#random()));
    atProvider.end();
    return responseOf(said);
  }

  #keyAtProvider(key: number, bucket = ''): ProviderKey {
    const { limits, shared } = this.#scenario;
    const id = `${shared ? 'all' : key}#${bucket}`;
    const known = this.#provider.get(id) ?? new ProviderKey(limits, this.#random);
    this.#provider.set(id, known);
    return known;
  }
}

function responseOf({ status, retryAfterMs, left }: Said): Response {
  const headers = new Headers({ 'content-type': 'application/json' });
  if (retryAfterMs !== undefined) headers.set('retry-after', String(retryAfterMs / 1_000));
  if (left !== undefined) {
    headers.set('x-ratelimit-limit-requests', String(left.limit));
    headers.set('x-ratelimit-remaining-requests', String(left.remaining));
    headers.set('x-ratelimit-reset-requests', `${Math.max(0, left.resetAt + BEGINS_AT - Date.now())}ms`);
  }
  const body = status === 413 ? { error: { type: 'request_too_large' } } : {};
  return new Response(JSON.stringify(body), { status, headers });
}

function existing<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a task, a shard or a pool is missing');
  return value;
}
