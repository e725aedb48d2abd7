/**
 * One shard as the platform runs it, on a virtual clock: the real batch, the real registry with its host; queue and
 * ledger are models of what they do.
 */
import { consumerEnv } from '../../../bench/batches/consumer-env.ts';
import { LedgerModel, passed, type Row } from '../../../bench/batches/ledger.ts';
import { PLATFORMS, ShardQueue } from '../../../bench/batches/shard-queue.ts';
import { giveUpLease } from '../../../callback/capacity/places.ts';
import { takeReports } from '../../../callback/capacity/report.ts';
import { type Platform, RegistryHost } from '../../../callback/registry/host.ts';
import { readCatalog } from '../../../callback/services/services.ts';
import { readConsumerKeys } from '../../../consumer/keys/secrets/consumer-keys.ts';
import type { LedgerSession } from '../../../shared/ledger/contract.ts';
import type { TaskMessage } from '../../../shared/message/task-message.ts';

const DEPLOYED = PLATFORMS.deployed;
export const INVOCATIONS = DEPLOYED.invocations;
export const SHARE = 150;

const HOUR_MS = 3_600_000;

export class Shard {
  /** Calls under way, by service. */
  readonly running = new Map<string, number>();
  readonly #ledger = new LedgerModel(DEPLOYED.rpcMs);
  readonly #queue: ShardQueue;
  readonly #host: RegistryHost;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param callMs by service: how long its calls take @param mostInvocations that one service may keep */
  constructor(callMs: Readonly<Record<string, number>>, mostInvocations: number | undefined) {
    const services = Object.fromEntries(
      Object.keys(callMs).map((name) => [name, { baseUrl: `http://${name}.test`, timeoutSeconds: 600 }]),
    );
    const env = consumerEnv(services, () => ({
      shard: '0',
      ledger: { open: async () => this.#session() },
      connections: DEPLOYED.connections,
      mostInvocations,
      ownQueue: {
        send: async (body: TaskMessage, options?: { delaySeconds?: number }) =>
          this.#queue.send(body, options?.delaySeconds),
      },
      outbound: (url: string) => this.#call(new URL(url), callMs),
      keys: readConsumerKeys({}, '0', { all: {} }),
    }));
    this.#queue = new ShardQueue(DEPLOYED, env);
    const stored = new Map<string, string>();
    const platform: Platform = {
      now: () => Date.now(),
      readSnapshot: (name) => stored.get(name),
      writeSnapshot: (name, text) => void stored.set(name, text),
      leases: { read: () => [], write: () => undefined },
      setAlarm: async () => undefined,
      setTimer: (afterMs) => {
        if (this.#timer !== undefined) clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#host.wake(), afterMs);
      },
      probe: async () => [],
      release: (request) => this.#ledger.release(request, (message) => this.#queue.send(message)),
      readLines: async () => [],
      inBackground: () => undefined,
      log: () => undefined,
    };
    this.#host = new RegistryHost(
      { heartbeatMs: 30_000, goneAfterMs: HOUR_MS, allowPrivateTargets: true, services: env.services },
      platform,
    );
  }

  get rows(): ReadonlyMap<string, Row> {
    return this.#ledger.rows;
  }

  /** Invocations that have not ended. */
  get active(): number {
    return this.#queue.active;
  }

  submit(service: string): void {
    this.#queue.send(this.#ledger.submit(service).message);
  }

  async #call({ hostname, pathname }: URL, callMs: Readonly<Record<string, number>>): Promise<Response> {
    const service = hostname.split('.')[0] ?? '';
    this.#ledger.row(pathname.slice(1)).startedAt ??= Date.now();
    this.running.set(service, (this.running.get(service) ?? 0) + 1);
    await passed(callMs[service] ?? 0);
    this.running.set(service, (this.running.get(service) ?? 1) - 1);
    return new Response('{}', { headers: { 'content-type': 'application/json' } });
  }

  #session(): LedgerSession {
    const ledger = this.#ledger;
    return {
      ...ledger.session(),
      route: (request) => ledger.answer(() => this.#host.route(request, Math.random)),
      reportCalls: (reports) =>
        ledger.answer(() => this.#host.direct((registry, now) => takeReports(registry, reports, now, Math.random))),
      giveUp: ({ leaseId, expiresAt }) =>
        ledger.answer(() => this.#host.direct((registry, now) => giveUpLease(registry, leaseId, expiresAt, now))),
      readServices: (version) => ledger.answer(() => this.#host.direct((registry) => readCatalog(registry, version))),
    };
  }
}
