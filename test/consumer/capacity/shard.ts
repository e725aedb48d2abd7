/**
 * One shard as the platform runs it, on a virtual clock: a queue in the order of its messages, so many invocations
 * of the consumer at once with so many messages each, six connections an invocation. The real batch, the real
 * registry with its host; the ledger is a map, and each RPC takes a moment.
 */

import { giveUpLease } from '../../../callback/capacity/places.ts';
import { takeReports } from '../../../callback/capacity/report.ts';
import { type Platform, RegistryHost } from '../../../callback/registry/host.ts';
import { readCatalog } from '../../../callback/services/services.ts';
import { runBatch } from '../../../consumer/batch.ts';
import { LastKnownServers } from '../../../consumer/capacity/last-known.ts';
import { LongCalls } from '../../../consumer/capacity/long-calls.ts';
import type { ConsumerEnv } from '../../../consumer/env.ts';
import { readConsumerKeys } from '../../../consumer/keys/secrets/consumer-keys.ts';
import { Redactor } from '../../../consumer/keys/secrets/redaction.ts';
import type { LedgerSession } from '../../../shared/ledger/contract.ts';
import { newTaskMessage, type TaskMessage, wakeMessage } from '../../../shared/message/task-message.ts';
import { serviceSchema, servicesSchema } from '../../../shared/service/definition.ts';
import { KnownServices } from '../../../shared/service/known-services.ts';

/** As deployed: Queues limits, and `wrangler.toml`. */
export const INVOCATIONS = 250;
const BATCH = 10;
export const SHARE = 150;

/** From a message's arrival to its batch, and an RPC with what its callee does. */
const DELIVERY_MS = 100;
const RPC_MS = 20;

const HOUR_MS = 3_600_000;

interface Letter {
  readonly body: TaskMessage;
  readonly visibleAt: number;
}

interface Row {
  readonly id: string;
  readonly service: string;
  readonly submittedAt: number;
  run: number;
  deferrals: number;
  line: string | undefined;
  startedAt: number | undefined;
  isDone: boolean;
}

export class Shard {
  readonly rows = new Map<string, Row>();
  /** Invocations that have not ended. */
  active = 0;
  /** Calls under way, by service. */
  readonly running = new Map<string, number>();
  /** In the order in which they become visible; those before `#head` are delivered. */
  readonly #queue: Letter[] = [];
  #head = 0;
  readonly #env: ConsumerEnv;
  readonly #host: RegistryHost;
  /** In line, the oldest first. */
  readonly #lines = new Map<string, Row[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDelivering = false;

  /** @param callMs by service: how long its calls take @param mostInvocations that one service may keep */
  constructor(callMs: Readonly<Record<string, number>>, mostInvocations: number | undefined) {
    const services = servicesSchema(true).parse(
      Object.fromEntries(
        Object.keys(callMs).map((name) => [name, { baseUrl: `http://${name}.test`, timeoutSeconds: 600 }]),
      ),
    );
    const stored = new Map<string, string>();
    const platform: Platform = {
      now: () => Date.now(),
      readSnapshot: (name) => stored.get(name),
      writeSnapshot: (name, text) => void stored.set(name, text),
      setAlarm: async () => undefined,
      setTimer: (afterMs) => {
        if (this.#timer !== undefined) clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#host.wake(), afterMs);
      },
      probe: async () => [],
      release: async ({ line, limit }) => {
        await passed(RPC_MS);
        const stand = this.#lines.get(line) ?? [];
        const released = stand.splice(0, limit);
        for (const row of released) {
          row.line = undefined;
          this.#put(wakeMessage(row.id, row.service, line));
        }
        return { released: released.length, left: stand.length > 0 };
      },
      readLines: async () => [],
      inBackground: () => undefined,
      log: () => undefined,
    };
    this.#host = new RegistryHost(
      { heartbeatMs: 30_000, goneAfterMs: HOUR_MS, allowPrivateTargets: true, services },
      platform,
    );
    const schema = serviceSchema(true);
    const known = new KnownServices(services, (definition) => schema.safeParse(definition).data);
    this.#env = {
      shard: '0',
      publicUrl: 'https://tasks.example.com',
      redactor: () => new Redactor([]),
      refusesConnections: async () => false,
      services,
      known,
      servers: new LastKnownServers(),
      longCalls: new LongCalls(),
      ledger: { open: async () => this.#session() },
      connections: 6,
      serviceShare: 0.6,
      mostInvocations,
      ownQueue: {
        send: async (body: TaskMessage, options?: { delaySeconds?: number }) => this.#put(body, options?.delaySeconds),
      },
      draining: false,
      outbound: (url: string) => this.#call(new URL(url), callMs),
      backend: () => undefined,
      secret: () => undefined,
      keys: readConsumerKeys({}, '0', { all: {} }),
      webhookSecrets: [],
    } as unknown as ConsumerEnv;
  }

  submit(service: string): void {
    const id = `tsk_${String(this.rows.size).padStart(32, '0')}`;
    const counts = { run: 0, deferrals: 0, line: undefined, startedAt: undefined, isDone: false };
    this.rows.set(id, { id, service, submittedAt: Date.now(), ...counts });
    const policy = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };
    const deadlineAt = Date.now() + 24 * HOUR_MS;
    this.#put(newTaskMessage({ id, subject: 'alice', service, policy, deadlineAt, request: { path: `/${id}` } }));
  }

  #put(body: TaskMessage, delaySeconds = 0): void {
    const visibleAt = Date.now() + DELIVERY_MS;
    // What is delayed lies elsewhere until then.
    if (delaySeconds > 0) setTimeout(() => this.#put(body), delaySeconds * 1000);
    else this.#queue.push({ body, visibleAt });
    this.#deliverAt(visibleAt);
  }

  #deliverAt(at: number): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    setTimeout(
      () => {
        this.#isDelivering = false;
        this.#deliver();
      },
      Math.max(0, at - Date.now()),
    );
  }

  #deliver(): void {
    while (this.active < INVOCATIONS) {
      const taken: TaskMessage[] = [];
      for (let next = this.#queue[this.#head]; taken.length < BATCH; next = this.#queue[this.#head]) {
        if (next === undefined || next.visibleAt > Date.now()) break;
        taken.push(next.body);
        this.#head += 1;
      }
      if (taken.length === 0) break;
      void this.#invoke(taken);
    }
    const next = this.#queue[this.#head];
    if (next !== undefined && this.active < INVOCATIONS) this.#deliverAt(next.visibleAt);
  }

  async #invoke(taken: readonly TaskMessage[]): Promise<void> {
    this.active += 1;
    const messages = taken.map((body) => ({
      id: crypto.randomUUID(),
      timestamp: new Date(),
      body,
      attempts: 1,
      ack: () => undefined,
      retry: ({ delaySeconds = 0 }: { delaySeconds?: number } = {}) => this.#put(body, delaySeconds),
    }));
    await runBatch(this.#env, messages as unknown as Message<unknown>[], this.#queue.length - this.#head);
    this.active -= 1;
    this.#deliver();
  }

  async #call({ hostname, pathname }: URL, callMs: Readonly<Record<string, number>>): Promise<Response> {
    const service = hostname.split('.')[0] ?? '';
    const row = this.#row(pathname.slice(1));
    row.startedAt ??= Date.now();
    this.running.set(service, (this.running.get(service) ?? 0) + 1);
    await passed(callMs[service] ?? 0);
    this.running.set(service, (this.running.get(service) ?? 1) - 1);
    return new Response('{}', { headers: { 'content-type': 'application/json' } });
  }

  #session(): LedgerSession {
    const answer = async <Value>(take: () => Value | Promise<Value>) => {
      await passed(RPC_MS);
      return take();
    };
    return {
      claim: ({ claims }) =>
        answer(() =>
          claims.map(({ id, leaseMs }) => {
            const row = this.#row(id);
            row.run += 1;
            const { run, deferrals, service } = row;
            const policy = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };
            const until = Date.now() + leaseMs;
            const state = {
              status: 'running',
              run,
              deferrals,
              attemptsOffset: 0,
              policy,
              deadlineAt: Date.now() + HOUR_MS,
              leaseUntil: until,
            } as const;
            return {
              id,
              granted: true as const,
              state,
              service,
              callbackToken: `${run}.x`,
              request: `{"path":"/${id}"}`,
            };
          }),
        ),
      settle: (settlements) =>
        answer(() =>
          settlements.map(({ id, event }) => {
            const row = this.#row(id);
            if (event.type !== 'defer') {
              row.isDone = true;
              return { id, status: 'succeeded' as const, disposition: { kind: 'ack' as const } };
            }
            row.deferrals += 1;
            if (event.park === undefined) {
              return {
                id,
                status: 'deferred' as const,
                disposition: { kind: 'retry' as const, delayMs: event.delayMs },
              };
            }
            row.line = event.park.line;
            const line = this.#lines.get(row.line) ?? [];
            this.#lines.set(row.line, line);
            line.push(row);
            return { id, status: 'deferred' as const, disposition: { kind: 'ack' as const } };
          }),
        ),
      cancelledAmong: () => answer(() => []),
      // No task here is in a flow.
      routeFlows: () => answer(() => ({ decisions: [], servers: {}, lines: {}, servicesVersion: 0 })),
      reportFlows: () => answer(() => undefined),
      giveUpFlows: () => answer(() => undefined),
      route: (request) => answer(() => this.#host.route(request, Math.random)),
      reportCalls: (reports) =>
        answer(() => this.#host.direct((registry, now) => takeReports(registry, reports, now, Math.random))),
      giveUp: ({ leaseId, expiresAt }) =>
        answer(() => this.#host.direct((registry, now) => giveUpLease(registry, leaseId, expiresAt, now))),
      readServices: (version) => answer(() => this.#host.direct((registry) => readCatalog(registry, version))),
    };
  }

  #row(id: string): Row {
    const row = this.rows.get(id);
    if (row === undefined) throw new Error(`no task ${id}`);
    return row;
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
