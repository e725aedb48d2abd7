/**
 * A provider as one might rent it: an HTTP API with keys, a limit of requests a minute for each, and
 * quotas; speaks enough of OpenAI's and Google's language for their own packages. No dependencies.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBody, send } from '../http.ts';
import { type AccountOptions, Accounts, type Admission } from './account.ts';
import {
  chatCompletion,
  chatCompletionChunks,
  errorAnswer,
  generatedContent,
  generatedContentChunks,
  type Style,
} from './answer.ts';

/** How much the provider tells of its limits with every answer. */
export const HEADER_STYLES = ['none', 'openai', 'ietf'] as const;
export type HeaderStyle = (typeof HEADER_STYLES)[number];

export interface ProviderOptions extends Partial<AccountOptions> {
  readonly port?: number;
  readonly headers?: HeaderStyle;
  /** How long an answer takes. */
  readonly latencyMs?: number;
}

export interface Provider {
  readonly url: string;
  readonly accounts: Accounts;
  stop(): Promise<void>;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: string;
}

export async function startProvider(options: ProviderOptions = {}): Promise<Provider> {
  const settings = {
    limit: 60,
    windowMs: 60_000,
    kind: 'sliding',
    quota: Number.POSITIVE_INFINITY,
    revoked: [],
    headers: 'none',
    latencyMs: 0,
    port: 0,
    ...options,
  } as const satisfies Required<ProviderOptions>;
  const accounts = new Accounts(settings);
  const server = createServer((request, response) => {
    answer(accounts, settings, request, response).catch((error: Error) =>
      send(response, 500, { error: { message: error.message } }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accounts,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  accounts: Accounts,
  settings: Required<ProviderOptions>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://provider');
  const body = await readBody(request);
  if (body === undefined) return send(response, 413, { error: { message: 'the body is too large' } });
  const call: Call = { request, response, url, body };
  if (url.pathname === '/_log') return send(response, 200, { keys: accounts.report() });
  if (url.pathname === '/_reset') {
    accounts.reset();
    return send(response, 204);
  }

  const style: Style = /^\/v1beta\/|:\w+$/.test(url.pathname) ? 'google' : 'openai';
  const key = keyOf(call);
  const refuse = (kind: Parameters<typeof errorAnswer>[1], retryAfterMs?: number) => {
    const { status, body: problem } = errorAnswer(style, kind, retryAfterMs);
    const after = retryAfterMs === undefined ? undefined : String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
    send(response, status, problem, { ...(after !== undefined && style === 'openai' && { 'retry-after': after }) });
  };
  if (key === undefined) return refuse('no-key');
  const admission = accounts.admit(key, Date.now());
  if (admission.kind === 'limited') return refuse('limited', admission.retryAfterMs);
  if (admission.kind !== 'admitted') return refuse(admission.kind);
  for (const [name, value] of Object.entries(limitHeaders(settings, admission))) response.setHeader(name, value);
  if (settings.latencyMs > 0) await sleep(settings.latencyMs);
  const reply = replyTo(call);
  if ('events' in reply) stream(response, reply.events);
  else send(response, reply.status, reply.body);
}

type Reply =
  | { readonly status: number; readonly body: unknown }
  /** Server-sent events. */
  | { readonly events: readonly string[] };

function replyTo({ url, body, request }: Call): Reply {
  const now = Math.floor(Date.now() / 1000);
  const [, model = '', method] = /^\/v1(?:beta)?\/models\/([^:/]+):(\w+)$/.exec(url.pathname) ?? [];
  if (method === 'generateContent') return { status: 200, body: generatedContent(model) };
  if (method === 'streamGenerateContent') return { events: generatedContentChunks(model) };
  switch (url.pathname) {
    case '/v1/chat/completions': {
      const { model: name = 'example', stream = false } = jsonOf(body);
      return stream ? { events: chatCompletionChunks(name, now) } : { status: 200, body: chatCompletion(name, now) };
    }
    case '/v1/models':
      return {
        status: 200,
        body: { object: 'list', data: [{ id: 'example', object: 'model', owned_by: 'example' }] },
      };
    // Careless, as debugging pages are: shows everything that came, the key included.
    case '/echo': {
      const { 'task-callback-token': _, ...headers } = request.headers;
      return { status: 200, body: { method: request.method, url: request.url, headers, body } };
    }
    // As careless, in an error.
    case '/echo-error': {
      const { 'task-callback-token': _, ...headers } = request.headers;
      return { status: 422, body: { error: { message: `cannot process ${request.url}`, headers } } };
    }
    // This customer's plan does not include it, whatever the key.
    case '/forbidden':
      return { status: 403, body: { error: { message: 'not in your plan' } } };
    default:
      return { status: 404, body: { error: { message: `no route ${url.pathname}` } } };
  }
}

function jsonOf(body: string): { model?: string; stream?: boolean } {
  try {
    return (JSON.parse(body) ?? {}) as { model?: string; stream?: boolean };
  } catch {
    return {};
  }
}

function keyOf({ request, url }: Call): string | undefined {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const header = request.headers['x-goog-api-key'] ?? request.headers['x-api-key'];
  return bearer ?? (header === undefined ? undefined : String(header)) ?? url.searchParams.get('key') ?? undefined;
}

function limitHeaders(
  { headers, limit, windowMs }: Required<ProviderOptions>,
  { remaining, resetMs }: Extract<Admission, { kind: 'admitted' }>,
): Record<string, string> {
  switch (headers) {
    case 'none':
      return {};
    case 'openai':
      return {
        'x-ratelimit-limit-requests': String(limit),
        'x-ratelimit-remaining-requests': String(remaining),
        'x-ratelimit-reset-requests': `${Math.ceil(resetMs)}ms`,
      };
    case 'ietf':
      return {
        'ratelimit-policy': `"requests";q=${limit};w=${windowMs / 1000}`,
        ratelimit: `"requests";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
      };
  }
}

function stream(response: ServerResponse, events: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) response.write(`data: ${event}\n\n`);
  response.end();
}
