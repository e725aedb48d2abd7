/**
 * What each Worker is given. Every invocation gets bindings of its own, so that it can be killed
 * alone; everything that it does through them is an effect, and faults strike there.
 */
import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { CallbackRpc } from '../../callback/index.ts';
import { Ledger } from '../../callback/ledger.ts';
import { NO_SUCH_SERVER } from '../../callback/registry/refusal.ts';
import type { Registry } from '../../callback/registry/state.ts';
import { viewServer } from '../../callback/registry/view.ts';
import { setPaused } from '../../callback/services/services.ts';
import type { ConsumerEnv, LedgerBinding } from '../../consumer/env.ts';
import type { KeyRequest } from '../../consumer/keys/pool/lease.ts';
import type { KeyRelease } from '../../consumer/keys/pool/release.ts';
import { Redactor } from '../../consumer/keys/secrets/redaction.ts';
import type { Runtime } from '../../producer/runtime.ts';
import { readReportToken } from '../../shared/key/report-token.ts';
import type { LineHost } from '../../shared/ledger/line.ts';
import type { CallbackReport, Reporter } from '../../shared/ledger/rpc.ts';
import type { TaskMessage } from '../../shared/message/task-message.ts';
import { type RegistrySession, readCallReports, readRouteRequest } from '../../shared/registry/routing.ts';
import type { RegistryRpc, ServicePause } from '../../shared/registry/rpc.ts';
import { storesIn } from '../../shared/store/stores.ts';
import type { Backend } from './backend.ts';
import { gatedBucket } from './bucket.ts';
import type { Clock } from './clock.ts';
import { type Consumers, type Isolate, keyShardsOf } from './consumers.ts';
import { gatedDatabase, isWrite } from './database.ts';
import { type Exchange, type Faults, Invocation } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { KeyPoolObject } from './key-pool.ts';
import type { Machine } from './machine.ts';
import { Network } from './network.ts';
import type { Post, QueueName } from './post.ts';
import type { Promises } from './promises.ts';
import type { Receiver } from './receiver.ts';
import type { Storage } from './storage.ts';

/** What the bindings lead to. */
interface World {
  readonly clock: Clock;
  readonly post: Post;
  readonly faults: Faults;
  readonly backend: Backend;
  readonly receiver: Receiver;
  readonly promises: Promises;
  readonly connections: number;
  readonly mostInvocations: number | undefined;
  readonly consumers: Consumers;
  readonly registry: Registry;
  readonly fleet: Fleet;
  readonly keyPools: readonly KeyPoolObject[];
  readonly secrets: ReadonlyMap<string, string>;
  readonly storage: Storage;
  readonly watching: boolean;
  writes: number;
  readonly refusals: string[];
  readonly claimed: number[];
  callbackMachine(): Machine;
  note(event: string): void;
  check(when: string): Promise<unknown>;
}

/** Who asks for services waits no longer (`shared/service/refresh.ts`). */
const MOST_WAITED_MS = 1_000;

/** A request may cause so many Worker invocations (Workers limits). */
export const MAX_INVOCATIONS = 32;

/** What one batch spends of them. */
export interface Budget {
  spent: number;
}

export class Bindings {
  readonly #world: World;
  /** Who holds a run, by its callback token. */
  readonly #holders = new Map<string, Invocation>();
  /** Who delivers a message, by its id: a receiver gets no token. */
  readonly #messengers = new Map<string, Invocation>();
  readonly #network = new Network();

  constructor(world: World) {
    this.#world = world;
  }

  consumer(invocation: Invocation, budget: Budget, isolate: Isolate): ConsumerEnv {
    const effect = <Value>(name: string, take: () => Promise<Value>) =>
      this.#world.faults.effect(invocation, name, take);
    const { toldAt } = isolate;
    invocation.toldAt = toldAt;
    return {
      shard: String(isolate.shard),
      publicUrl: env.PUBLIC_URL,
      redactor: () => new Redactor([]),
      refusesConnections: async (url) => this.#world.backend.refusing.has(new URL(url).hostname),
      get services() {
        return this.known.all;
      },
      known: isolate.known,
      servers: isolate.servers,
      registry: {
        ...this.#registry(effect, toldAt),
        setPaused: (name: string, pause: ServicePause | undefined) =>
          effect('registry.pause', async () =>
            this.#world.fleet.object.change((registry) => setPaused(registry, name, pause)),
          ),
        getServer: (id: string) =>
          effect('registry.server', async () => {
            const server = this.#world.registry.servers.get(id);
            return server === undefined
              ? NO_SUCH_SERVER
              : { ok: true, value: viewServer(this.#world.registry, server, Date.now()) };
          }),
      } as unknown as RegistryRpc,
      ledger: {
        open: () => {
          budget.spent += 1;
          return effect('ledger.open', () => this.#openLedger(invocation, toldAt)).catch((error: unknown) => {
            // It may have been the last that the batch may open: nobody takes anything back then.
            invocation.isCutOff = true;
            throw error;
          });
        },
        ...this.#lineHost(effect),
      },
      connections: this.#world.connections,
      bodies: this.#bucket(invocation),
      serviceShare: 0.6,
      mostInvocations: this.#world.mostInvocations,
      longCalls: isolate.longCalls,
      ownQueue: this.#queue(isolate.shard === 0 || isolate.isDraining ? 'tasks' : 'tasks-1', invocation),
      draining: isolate.isDraining,
      outbound: (url, init) => fetch(url, init),
      backend: (name) => {
        if (name !== 'BACKEND') return undefined;
        const fetch: typeof this.callBackend = (input, init) => {
          budget.spent += 1;
          return this.callBackend(input, init, false);
        };
        return { fetch } as unknown as Fetcher;
      },
      secret: (name) => this.#world.secrets.get(name),
      keys: this.#keys(isolate, invocation, effect),
      webhookSecrets: [env.WEBHOOK_SECRET],
      otlp: undefined,
    };
  }

  get #exchange(): Exchange {
    return this.#world.faults.exchange;
  }

  #keys(
    { shard, keys, release }: Isolate,
    invocation: Invocation,
    effect: <Value>(name: string, take: () => Promise<Value>) => Promise<Value>,
  ): ConsumerEnv['keys'] {
    const pool = this.#world.keyPools[shard];
    if (pool === undefined) throw new Error(`shard ${shard} has no pool`);
    const of = shard === 0 ? '' : `.${shard}`;
    const stub = {
      lease: (request: KeyRequest) =>
        effect(`keys.lease${of}`, () => this.#exchange('keys.lease', request, (asked) => pool.lease(asked))),
      release: (request: KeyRelease) =>
        effect(`keys.release${of}`, () => this.#exchange('keys.release', request, (asked) => pool.release(asked))),
    };
    const others = [...release.keys.keys()].filter((other) => other !== shard);
    return {
      ...keys,
      pool: () => stub as unknown as ReturnType<ConsumerEnv['keys']['pool']>,
      shardQueue: (other) =>
        others.includes(other) ? this.#queue(other === 0 ? 'tasks' : 'tasks-1', invocation) : undefined,
    };
  }

  /** Calls over the network and to bound Workers alike: an effect of whoever holds the run. */
  callBackend(input: RequestInfo, init?: RequestInit, overNetwork = true): Promise<Response> {
    const request = new Request(input, init);
    const messenger = this.#messengers.get(request.headers.get('webhook-id') ?? '');
    if (messenger !== undefined) {
      messenger.held.delete(request.headers.get('webhook-id') ?? '');
      return this.#world.faults.effect(messenger, 'receiver', () => this.#world.receiver.fetch(request));
    }
    const holder = this.#holders.get(readReportToken(request.headers.get('task-callback-token') ?? '').token);
    // Who tells of a cancellation holds no run; it is a courtesy and may go wrong unseen.
    if (holder === undefined) return this.#world.backend.fetch(request, new Invocation('courtesy'));
    holder.held.delete(request.headers.get('task-id') ?? '');
    const call = () => this.#world.faults.effect(holder, 'backend', () => this.#world.backend.fetch(request, holder));
    return overNetwork ? this.#network.connect(holder, request.signal, call) : call();
  }

  /** A session with the real ledger; questions and answers are copied as RPC copies them. */
  async #openLedger(invocation: Invocation, toldAt: number[]): ReturnType<LedgerBinding['open']> {
    const effect = <Value>(name: string, take: () => Promise<Value>) =>
      this.#world.faults.effect(invocation, name, take);
    const { callee, machine, answer } = this.#callee();
    const session = await machine.run(() => this.#ledger(callee).open());
    return {
      claim: async (batch) => {
        const answers = await effect('ledger.claim', async () => {
          this.#world.claimed.push(JSON.stringify(batch).length);
          const granted = await this.#exchange('ledger.claim', batch, (asked) => answer(() => session.claim(asked)));
          return granted.map((grant) => {
            if (!grant.granted) return grant;
            this.#world.promises.leases.set(`${grant.id}/${grant.state.run}`, grant.state.leaseUntil);
            this.#holders.set(grant.callbackToken, invocation);
            this.#messengers.set(grant.id, invocation);
            return grant;
          });
        });
        for (const { id, granted } of answers) if (granted) invocation.held.add(id);
        return answers;
      },
      settle: (settlements) => {
        for (const { id } of settlements) invocation.held.delete(id);
        return effect('ledger.settle', () =>
          this.#exchange('ledger.settle', settlements, (asked) => answer(() => session.settle(asked))),
        );
      },
      cancelledAmong: (ids) =>
        effect('ledger.cancelled', () => answer(() => session.cancelledAmong(structuredClone(ids)))),
      ...this.#registry(effect, toldAt),
    };
  }

  /** An invocation of the callback Worker: it goes on when its caller is killed, and may be killed itself. */
  #callee() {
    const callee = new Invocation('ledger');
    const broken = callee.whenKilled.then(() => {
      throw new Error('the callback Worker was killed');
    });
    broken.catch(() => undefined);
    const machine = this.#world.callbackMachine();
    const answer = async <Value>(question: () => Promise<Value>) =>
      structuredClone(await Promise.race([machine.run(question), broken]));
    return { callee, machine, answer };
  }

  /** As an owner of lines reaches the ledger. */
  #lineHost(effect: <Value>(name: string, take: () => Promise<Value>) => Promise<Value>): LineHost {
    const ledger = <Value>(question: (ledger: Ledger) => Promise<Value>) =>
      this.#world.callbackMachine().run(() => question(this.#ledger(new Invocation('ledger'))));
    return {
      releaseLine: (request) =>
        effect('ledger.release', () => ledger((to) => to.releaseLine(structuredClone(request)))),
      describeLines: (lines) => effect('ledger.describe', () => ledger((to) => to.describeLines(lines))),
    };
  }

  #ledger(callee: Invocation): Ledger {
    return new Ledger(createExecutionContext(), this.callback(callee) as never);
  }

  /** The registry's object, which may be gone from memory in between. Here it looks after flows, too. */
  #registry(
    effect: <Value>(name: string, take: () => Promise<Value>) => Promise<Value>,
    toldAt: number[],
  ): RegistrySession {
    const { clock, fleet } = this.#world;
    const { object } = fleet;
    return {
      route: (request) =>
        effect('registry.route', async () => {
          fleet.beat();
          return this.#exchange('registry.route', request, (asked) => object.route(readRouteRequest(asked)));
        }),
      giveUp: (lease) => effect('registry.give-up', () => object.giveUp(lease)),
      reportCalls: (reports) =>
        effect('registry.report', () =>
          this.#exchange('registry.report', reports, (asked) => object.reportCalls(readCallReports(asked))),
        ),
      readServices: async (known) => {
        const askedAt = clock.now;
        const catalog = await effect('registry.services', () =>
          this.#exchange('registry.services', known, (asked) => object.readServices(asked)),
        );
        if (clock.now - askedAt < MOST_WAITED_MS) toldAt.push(clock.now);
        return catalog;
      },
    };
  }

  producer(invocation: Invocation, isolate: Isolate, recordsAtAccept: boolean): Runtime {
    const bindings = this.callback(invocation, this.#world.storage.stores);
    const ask = <Value>(name: string, question: (rpc: CallbackRpc) => Promise<Value>) =>
      this.#world.faults.effect(invocation, `callback.${name}`, () => {
        const { callee, answer } = this.#callee();
        return answer(() => question(new CallbackRpc(createExecutionContext(), this.callback(callee) as never)));
      });
    const config = {
      stores: storesIn(bindings),
      queues: [bindings.TASK_QUEUE_0, bindings.TASK_QUEUE_1],
      recordsAtAccept,
      keyShards: keyShardsOf(this.#world.consumers.release),
      bodies: bindings.BODIES,
      callback: {
        mayReport: (reporter: Reporter) => ask('may-report', (rpc) => rpc.mayReport(structuredClone(reporter))),
        acceptCallback: (report: CallbackReport) => ask('report', (rpc) => rpc.acceptCallback(structuredClone(report))),
      },
    };
    return { config, services: isolate.known, shardNews: [] } as unknown as Runtime;
  }

  callback(invocation: Invocation, known = this.#world.storage.known()) {
    const stores = [...known].map(([number, db]) => [`TASK_DB_${number}`, this.#store(number, db, invocation)]);
    return {
      ...(Object.fromEntries(stores) as Record<`TASK_DB_${number}`, D1Database>),
      TASK_QUEUE_0: this.#queue('tasks', invocation),
      TASK_QUEUE_1: this.#queue(this.#world.consumers.release.keys.length > 1 ? 'tasks-1' : 'tasks', invocation),
      ...(this.#world.storage.hasBucket && { BODIES: this.#bucket(invocation) }),
      DEAD_QUEUE: this.#queue('dead', invocation),
      CALLBACK_SECRET: env.CALLBACK_SECRET,
      RETENTION_DAYS: env.RETENTION_DAYS,
      SERVER_REGISTRY: {
        getByName: () => ({
          endTask: (id: string) =>
            this.#world.faults.effect(invocation, 'registry.end-task', () => this.#world.fleet.object.endTask(id)),
          getServiceRates: (names: readonly string[]) =>
            this.#world.faults.effect(invocation, 'registry.rates', () =>
              this.#world.fleet.object.getServiceRates(names),
            ),
        }),
      } as unknown as DurableObjectNamespace,
    };
  }

  #bucket(invocation: Invocation): R2Bucket | undefined {
    if (!this.#world.storage.hasBucket) return undefined;
    return gatedBucket(env.BODIES, this.#world.storage.uploads, (name, take) =>
      this.#world.faults.effect(invocation, `bodies.${name}`, () => this.#world.clock.outside(take())),
    );
  }

  /** The effects of the first store have names without a number. */
  #store(number: number, db: D1Database, invocation: Invocation): D1Database {
    const name = number === 0 ? 'db' : `db.${number}`;
    return gatedDatabase(db, (statement, take) =>
      this.#world.faults.effect(invocation, `${name}.${statement}`, async () => {
        const answer = await this.#world.clock.outside(take()).catch((error: unknown) => {
          // No fault of the schedule: the database itself refuses the statement.
          this.#world.refusals.push(`${statement}: ${String(error)}`);
          throw error;
        });
        if (!isWrite(statement)) return answer;
        this.#world.writes += 1;
        if (this.#world.watching) await this.#world.check(`after ${statement}`);
        return answer;
      }),
    );
  }

  #queue(name: QueueName, invocation: Invocation): Queue<TaskMessage> {
    type Item = { readonly body: TaskMessage; readonly delaySeconds?: number };
    const send = (items: readonly Item[]) =>
      this.#world.faults.effect(invocation, 'queue.send', async () => {
        const part = items.length > 1 ? this.#world.post.takesPart?.(items.length) : undefined;
        const taken = items.slice(0, part);
        if (this.#world.post.closed.has(name)) throw new Error(`there is no queue ${name}`);
        const letters = taken.map(({ body, delaySeconds }) => this.#world.post.put(name, body, delaySeconds));
        this.#world.note(`${invocation.name} sends letters ${letters.map(({ serial }) => serial).join(', ')}`);
        await this.#world.post.afterSend?.(letters);
        if (part !== undefined) throw new Error(`the queue took ${part} of ${items.length} messages`);
      });
    const queue = {
      send: (body: TaskMessage, options: { delaySeconds?: number } = {}) => send([{ body, ...options }]),
      sendBatch: (items: readonly Item[]) => send(items),
    };
    return queue as unknown as Queue<TaskMessage>;
  }
}
