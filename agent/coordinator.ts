/**
 * The coordinator's HTTP interface, as far as an agent needs it. An answer is a value, whatever it
 * says; no answer, and one that will be different soon (5xx, 429), is `Unreachable`. The token goes
 * out in the header of each request and nowhere else.
 */
import * as z from 'zod';
import type { OfferedService } from '../shared/registry/registration.ts';
import { SERVER_ID_PATTERN } from '../shared/registry/registration.ts';
import { reasonOf } from './reason.ts';
import type { RegistrationRequest } from './registration-request.ts';
import type { LeadershipReply } from './role.ts';

export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export type Reply<Value> =
  | { readonly kind: 'answered'; readonly value: Value }
  /** It knows no such server. */
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'not-leading' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Where 409 means that another server leads. */
const LEADERSHIP_PATH = /\/(?:heartbeats|leadership)$/;

const REQUEST_TIMEOUT_MS = 10_000;

const LeadershipSchema = z.object({
  heartbeatIntervalSeconds: z.number().positive(),
  isHeartbeatLeader: z.boolean(),
  heartbeatLeaderUrl: z.string().nullish(),
  members: z
    .array(
      z.object({
        id: z.string(),
        url: z.string(),
        agentUrl: z
          .string()
          .nullish()
          .transform((url) => url ?? undefined),
      }),
    )
    .optional(),
});
const RegisteredSchema = LeadershipSchema.extend({ id: z.string().regex(SERVER_ID_PATTERN) });
const ServerSchema = z.object({ state: z.string() });
const ServersSchema = z.object({ servers: z.array(z.unknown()) });

const ProblemSchema = z.object({
  type: z.string().catch(''),
  title: z.string().catch(''),
  detail: z.string().catch(''),
  errors: z.array(z.object({ field: z.string(), reason: z.string() })).catch([]),
});

export class Coordinator {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  register(
    request: RegistrationRequest,
    services: readonly OfferedService[],
  ): Promise<Reply<LeadershipReply & { readonly id: string }>> {
    return this.#call(RegisteredSchema, 'POST', '/api/servers', { ...request, services });
  }

  heartbeat(id: string): Promise<Reply<LeadershipReply>> {
    return this.#call(LeadershipSchema, 'POST', `/api/servers/${id}/heartbeat`, { status: 'healthy' });
  }

  heartbeatCluster(
    leader: string,
    members: readonly { readonly id: string; readonly up: boolean }[],
  ): Promise<Reply<LeadershipReply>> {
    return this.#call(LeadershipSchema, 'POST', '/api/servers/heartbeats', { leader, members });
  }

  claimLeadership(id: string): Promise<Reply<LeadershipReply>> {
    return this.#call(LeadershipSchema, 'POST', `/api/servers/${id}/leadership`);
  }

  /** No new work for this server. @returns its state */
  drain(id: string): Promise<Reply<{ readonly state: string }>> {
    return this.#call(ServerSchema, 'POST', `/api/servers/${id}/maintenance`, { enabled: true });
  }

  server(id: string): Promise<Reply<{ readonly state: string }>> {
    return this.#call(ServerSchema, 'GET', `/api/servers/${id}`);
  }

  remove(id: string): Promise<Reply<unknown>> {
    return this.#call(z.unknown(), 'DELETE', `/api/servers/${id}`);
  }

  /** The servers that this token speaks for: tells whether address and token are right. */
  servers(): Promise<Reply<{ readonly servers: readonly unknown[] }>> {
    return this.#call(ServersSchema, 'GET', '/api/servers');
  }

  async #call<Value>(schema: z.ZodType<Value>, method: string, path: string, body?: unknown): Promise<Reply<Value>> {
    const { status, text } = await this.#send(method, path, body);
    if (status >= 500 || status === 429) throw new Unreachable(`it answers ${status}${detailOf(text)}`);
    if (status >= 200 && status < 300) {
      const { success, data } = schema.safeParse(parseJson(text));
      // A proxy's page in between, or another program at this address.
      if (!success) throw new Unreachable(`it answers ${method} ${path} in an unknown form`);
      return { kind: 'answered', value: data };
    }
    if (status === 404 && path !== '/api/servers') return { kind: 'forgotten' };
    if (status === 409 && LEADERSHIP_PATH.test(path)) return { kind: 'not-leading' };
    return { kind: 'refused', reason: refusalText(status, text) };
  }

  async #send(
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // The token is for this address alone.
        redirect: 'manual',
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      throw new Unreachable(reasonOf(error));
    }
  }
}

function refusalText(status: number, text: string): string {
  const detail = detailOf(text);
  switch (status) {
    case 401:
      return `401, the token is not valid${detail}. Put a fresh one with the role server into the environment and start again`;
    case 403:
      return `403, the token may not do this${detail}. It needs the role server, and a URL registered by another subject is that one's`;
    case 404:
      return '404, there is no Tasklane at this address. Check "coordinator"';
    default:
      if (status >= 300 && status < 400)
        return `${status}, it sends us elsewhere. Give the final address as "coordinator"`;
      return `${status}${detail}`;
  }
}

function detailOf(text: string): string {
  const { success, data } = ProblemSchema.safeParse(parseJson(text));
  if (!success) return '';
  const fields = data.errors.map(({ field, reason }) => `${field} ${reason}`).join('; ');
  const detail = fields || data.detail || data.title;
  return detail === '' ? '' : ` (${detail.replace(/\.$/, '')})`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
