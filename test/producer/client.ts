/** A client of the producer's app for tests inside workerd: the app itself, real bindings, no network. */
import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, type MockInstance, vi } from 'vitest';
import { RegistryRpc } from '../../callback/registry/registry-rpc.ts';
import { createApp } from '../../producer/api.ts';
import { serve } from '../../producer/serve.ts';
import type { Role } from '../../shared/auth/role.ts';
import { signToken } from '../../shared/auth/token.ts';
import { importMacKey } from '../../shared/crypto/mac.ts';
import type { CallbackRpc, LedgerAnswer } from '../../shared/ledger/rpc.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import { mintTaskId } from '../../shared/task/id.ts';

export const app = createApp();

/** For files whose tests want failures: their lines are kept out of the tests' output, and can be looked at. */
export function catchFailureLog(): MockInstance<typeof console.error> {
  const log = vi.spyOn(console, 'error');
  beforeEach(() => {
    log.mockReset().mockReturnValue(undefined);
  });
  return log;
}

/** What the callback Worker was asked, and answers with `answer`. */
export function callbackStub(answer: LedgerAnswer): CallbackRpc & { asked: unknown[] } {
  const asked: unknown[] = [];
  const reply = async (request: unknown) => {
    asked.push(request);
    return answer;
  };
  return {
    asked,
    cancelTask: reply,
    retryTask: reply,
    acceptCallback: reply,
    reportSecrets: async () => ({ secrets: [], previous: [] }),
    mayReport: reply,
    isBackendLink: async () => false,
    changeGroup: async (request: unknown) => {
      asked.push(request);
      return undefined;
    },
    runJobs: async () => undefined,
    serviceRates: async (services) => new Map(services.map((service) => [service, { perSecond: 10, isKnown: true }])),
  };
}

export interface SentMessage {
  readonly task: NewTask;
}

/** A queue that remembers what it was sent, or refuses everything. */
export function queueStub(refuses = false) {
  const sent: SentMessage[] = [];
  const calls: number[] = [];
  const metadata = { metrics: { backlogCount: 0, backlogBytes: 0 } };
  const take = (messages: SentMessage[]) => {
    calls.push(messages.length);
    if (refuses) throw new Error('Queue overloaded');
    sent.push(...messages);
    return { metadata };
  };
  return {
    sent,
    calls,
    send: async (message: SentMessage) => take([message]),
    metrics: async () => ({ backlogCount: sent.length, backlogBytes: 0 }),
    sendBatch: async (messages: Iterable<{ body: SentMessage }>) => take([...messages].map(({ body }) => body)),
  };
}

/** Any use of it fails the request: shows that the database is left alone, but for its size. */
export const noDatabase = {
  prepare: (sql: string) => {
    if (sql !== 'SELECT 1 AS size') throw new Error('the database was asked');
    return { run: async () => ({ meta: {} }) };
  },
} as unknown as D1Database;

/** The real registry, with one object for all tests of a file. */
const registryRpc = new RegistryRpc(createExecutionContext(), env as never);

/** An environment of its own, so that nothing is remembered between tests. */
export function environment(overrides: Record<string, unknown> = {}): object {
  return {
    ...env,
    CALLBACK: callbackStub({ ok: true, status: 'queued', changed: true }),
    REGISTRY: registryRpc,
    ...overrides,
  };
}

export async function tokenFor(sub: string, role: Role = 'client', jti?: string): Promise<string> {
  return signToken({ sub, role, jti }, env.JWT_SECRET, 3600);
}

export async function idFor(subject: string, createdAt: number = Date.now(), store = 0): Promise<string> {
  return mintTaskId(await importMacKey(env.ID_SECRET), subject, createdAt, store);
}

export interface Ask {
  readonly method?: string;
  readonly token?: string | undefined;
  /** Sent as JSON, unless it is a string. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** A request through the app; by default by the client alice. */
export async function ask(environment: object, path: string, options: Ask = {}): Promise<Response> {
  const { body, headers } = options;
  const token = 'token' in options ? options.token : await tokenFor('alice');
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const request = new Request(`http://tasklane.test${path}`, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(text === undefined ? {} : { body: text }),
  });
  return serve(app, request, environment);
}

/** The document of an answer, loosely typed for assertions. */
export async function documentIn(response: Response): Promise<Record<string, unknown>> {
  return response.json<Record<string, unknown>>();
}

export function aTask(id: string, subject: string, overrides: Partial<NewTask> = {}): NewTask {
  return {
    id,
    subject,
    service: 'echo',
    policy: { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 },
    deadlineAt: Date.now() + 86_400_000,
    request: {},
    ...overrides,
  };
}
