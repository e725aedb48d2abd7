/**
 * A consumer inside a test: the real batch, ledger, database and key pool; its backend is a function,
 * its queue hands over what the test puts into it.
 */
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { vi } from 'vitest';
import { readEnv as readCallbackEnv } from '../../../callback/env.ts';
import { askRegistry } from '../../../callback/registry/asking.ts';
import { answerClaims } from '../../../callback/runs/claim.ts';
import { settleAttempts } from '../../../callback/runs/settle.ts';
import { runBatch } from '../../../consumer/batch.ts';
import { type ConsumerEnv, readEnv } from '../../../consumer/env.ts';
import type { KeyPool } from '../../../consumer/keys/pool/key-pool.ts';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import type { LedgerSession } from '../../../shared/ledger/contract.ts';
import { newTaskMessage, type TaskMessage, wakeMessage } from '../../../shared/message/task-message.ts';
import { readCancelled, readTask } from '../../../shared/store/read.ts';
import type { TaskRow } from '../../../shared/store/row.ts';
import { mintTaskId } from '../../../shared/task/id.ts';
import type { TaskRequest } from '../../../shared/task/request.ts';

export type Backend = (request: Request) => Response | Promise<Response>;

export interface TestConsumerOptions {
  readonly services: Record<string, unknown>;
  readonly keys?: Record<string, string>;
  readonly shard?: number;
  readonly vars?: Record<string, unknown>;
}

let namespaces = 0;

/** What a message was told, and what was sent to other queues. */
export interface BatchResult {
  readonly acked: readonly string[];
  readonly retried: ReadonlyMap<string, number>;
  readonly sent: readonly { readonly queue: string; readonly body: TaskMessage; readonly delaySeconds: number }[];
}

export class TestConsumer {
  readonly env: ConsumerEnv;
  /** Calls of the key pool's object, by method. */
  readonly poolCalls: string[] = [];
  /** Everything that left this Worker but for the calls of backends: to pools and queues. */
  readonly outgoing: string[] = [];
  readonly #sent: { queue: string; body: TaskMessage; delaySeconds: number }[] = [];

  constructor({ services, keys = {}, shard = 0, vars = {} }: TestConsumerOptions) {
    const prefix = `namespace-${namespaces++}-`;
    const queueTo = (queue: string) => ({
      send: async (body: TaskMessage, { delaySeconds = 0 }: QueueSendOptions = {}) => {
        this.#sent.push({ queue, body, delaySeconds });
        this.outgoing.push(JSON.stringify(body));
      },
    });
    this.env = readEnv({
      ...vars,
      ...keys,
      SERVICES: services,
      SHARD: String(shard),
      PUBLIC_URL: 'http://tasklane.test',
      WEBHOOK_SECRET: env.WEBHOOK_SECRET,
      ALLOW_PRIVATE_TARGETS: 'true',
      LEDGER: { open: async () => openLedger() },
      REGISTRY: env.SERVER_REGISTRY.getByName('registry'),
      OWN_QUEUE: queueTo(`tasks-${shard}`),
      TASK_QUEUE_0: queueTo('tasks-0'),
      TASK_QUEUE_1: queueTo('tasks-1'),
      KEY_POOL: { getByName: (name: string) => this.#counted(env.KEY_POOL.getByName(prefix + name)) },
    });
  }

  #counted(stub: DurableObjectStub<KeyPool>) {
    return new Proxy(stub, {
      get: (target, method: 'lease' | 'release') => {
        const call = target[method];
        return (...sent: never[]) => {
          this.poolCalls.push(method);
          this.outgoing.push(JSON.stringify(sent));
          return Reflect.apply(call, target, sent);
        };
      },
    });
  }

  async deliver(messages: readonly TaskMessage[]): Promise<BatchResult> {
    this.#sent.length = 0;
    const batch = createMessageBatch(
      'tasks',
      messages.map((body, index) => ({ id: String(index), timestamp: new Date(), attempts: 1, body })),
    );
    const retried = new Map<string, number>();
    for (const message of batch.messages) {
      const retry = message.retry.bind(message);
      vi.spyOn(message, 'retry').mockImplementation((options) => {
        retried.set(idOf(message.body as TaskMessage), options?.delaySeconds ?? 0);
        retry(options);
      });
    }
    await runBatch(this.env, batch.messages, 0);
    const { explicitAcks } = await getQueueResult(batch, createExecutionContext());
    const acked = explicitAcks.map((index) => idOf(messages[Number(index)] as TaskMessage));
    return { acked, retried, sent: [...this.#sent] };
  }
}

function idOf(message: TaskMessage): string {
  return message.kind === 'task' ? message.task.id : message.id;
}

async function openLedger(): Promise<LedgerSession> {
  const callbackEnv = await readCallbackEnv(env);
  return {
    claim: (batch) => answerClaims(callbackEnv, batch, Date.now()),
    settle: (settlements) => settleAttempts(callbackEnv, settlements, Date.now()),
    cancelledAmong: (ids) => readCancelled(callbackEnv.stores.control, ids),
    route: (request) => askRegistry(env.SERVER_REGISTRY, (registry) => registry.route(request), request.flowShard),
    reportCalls: (told) => askRegistry(env.SERVER_REGISTRY, (registry) => registry.reportCalls(told), told.flowShard),
    giveUp: (lease) => askRegistry(env.SERVER_REGISTRY, (registry) => registry.giveUp(lease), lease.flowShard),
    readServices: (known) => askRegistry(env.SERVER_REGISTRY, (registry) => registry.readServices(known)),
  };
}

const macKey = await importMacKey(env.ID_SECRET);

export async function newTask(service: string, request: TaskRequest = {}): Promise<TaskMessage> {
  return newTaskMessage({
    id: await mintTaskId(macKey, 'alice', Date.now(), 0),
    subject: 'alice',
    service,
    policy: { maxAttempts: 3, baseSeconds: 1, capSeconds: 10 },
    deadlineAt: Date.now() + 3_600_000,
    request,
  });
}

export function newTasks(count: number, service: string, request: TaskRequest = {}): Promise<TaskMessage[]> {
  return Promise.all(Array.from({ length: count }, () => newTask(service, request)));
}

/** Makes a deferred task claimable now, and wakes it. */
export async function wakeNow(id: string, service: string): Promise<TaskMessage> {
  await env.DB.prepare('UPDATE tasks SET next_at = 0 WHERE id = ?1 AND next_at IS NOT NULL').bind(id).run();
  const parked = await env.DB.prepare('SELECT parked_for FROM tasks WHERE id = ?1')
    .bind(id)
    .first<string>('parked_for');
  return wakeMessage(id, service, parked ?? undefined);
}

export async function rowOf(message: TaskMessage): Promise<TaskRow> {
  const row = await readTask(env.DB, idOf(message));
  if (row === undefined) throw new Error('the task has no row');
  return row;
}

/** The world outside: every call that leaves is answered by `backend`. */
export function answerWith(backend: Backend): Request[] {
  const calls: Request[] = [];
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit);
    calls.push(request.clone());
    return backend(request);
  });
  return calls;
}
