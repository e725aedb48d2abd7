/** The HTTP request that a call becomes: where it goes, and the headers it carries. */

import { HEADER_VALUE_PATTERN } from '../../../shared/header-value.ts';
import { isoTime } from '../../../shared/iso-time.ts';
import { keyLabel } from '../../../shared/key/name.ts';
import { type SecretsHolder, tokenForBackend } from '../../../shared/key/report-token.ts';
import type { ServiceDefinition } from '../../../shared/service/definition.ts';
import { isOwnAddress, OWN_ADDRESS_PROBLEM } from '../../../shared/service/own-address.ts';
import { hasSecrets, mayHaveSecretsAt, secretProblem } from '../../../shared/service/secret-origin.ts';
import { HOPS_HEADER } from '../../../shared/sync/call.ts';
import { ACCEPTED_ENCODINGS } from '../../../shared/sync/packing.ts';
import { bytesFromContent, type Content } from '../../../shared/task/content.ts';
import { traceIdOf } from '../../../shared/task/id.ts';
import type { TaskRequest } from '../../../shared/task/request.ts';
import { attemptNumber } from '../../../shared/task/state.ts';
import { newSpanId, readTraceParent, traceParent } from '../../../shared/trace/context.ts';
import { type CallableServer, Failover } from '../../capacity/failover.ts';
import { placeKey } from '../../keys/secrets/credential.ts';
import type { Call } from '../call.ts';
import type { BodiesEnv, TargetEnv } from '../call-env.ts';
import { mayBeRepeated } from './repeat.ts';
import { NO_BUCKET, storedPayload } from './stored-payload.ts';

/** A Worker behind a service binding is addressed by path; the host says nothing. */
const BINDING_ORIGIN = 'https://backend.tasklane.internal';

export interface Target {
  /** By whose id the backend is named in records and logs: a server's own, its host, or its binding. */
  readonly failover: Failover;
  readonly traceId: string;
  /** Of the attempt: what the backend's spans have for a parent. */
  readonly spanId: string;
  /** False: a request that got no answer may have been read all the same. */
  readonly mayBeRepeated: boolean;
  /** Calls the backend; each time a request of its own. */
  readonly call: () => Promise<Response>;
}

export type TargetResult =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly problem: string };

export function targetOf(
  env: TargetEnv & BodiesEnv,
  service: ServiceDefinition,
  call: Call,
  signal: AbortSignal,
): TargetResult {
  const { method = service.method, path = service.path, body, storedBody, headers = {} } = call.request;
  const place = placeOf(env, service, call.servers);
  if (!place.ok) return place;
  const { traceId, spanId, headers: traceHeaders } = traceOf(call.request, call.id);

  const stored = storedBody && storedPayload(env, service, call, storedBody);
  if (storedBody !== undefined && stored === undefined) return { ok: false, problem: NO_BUCKET };
  const hasInlineBody = body !== undefined && method !== 'GET';
  const hasBody = hasInlineBody || stored?.hasBody === true;
  // A plain record: the runtime copies headers into every object on their way, and names are lower case once. Without
  // a prototype a header may be called `__proto__`.
  const all: Record<string, string> = Object.create(null);
  // A body without a type is sent without one.
  if (body !== undefined && body.type !== '') all['content-type'] = body.type;
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value;
  const addressed = addressesOf(env, service, place.servers, path, all, call.key);
  if (!addressed.ok) return addressed;
  all[HOPS_HEADER] = String((call.request.hops ?? 0) + 1);
  all['idempotency-key'] = call.id;
  all['task-id'] = call.id;
  all['task-attempt'] = String(attemptNumber(call.state));
  all['task-deadline'] = isoTime(call.state.deadlineAt);
  all['task-callback-url'] = `${env.publicUrl}/api/task/${call.id}`;
  all['task-callback-token'] = tokenForBackend(call.callbackToken, holderOf(env, service, call));
  Object.assign(all, traceHeaders);

  const init: RequestInit = {
    method,
    headers: all,
    // A redirect would carry headers to wherever it points; it is an answer like any other.
    redirect: 'manual',
    signal,
    ...(hasInlineBody && { body: bodyOf(body) }),
  };
  const failover = new Failover(addressed.servers);
  const callOneOf = async () => {
    let server = failover.next();
    // Once it is sent it may have been read: whether anybody is there is asked before.
    for (let left = addressed.servers.length - 1; left > 0 && server !== undefined; left--) {
      if (!(await env.refusesConnections(server.url))) break;
      server = failover.next();
    }
    return place.fetch(server?.url ?? '', stored === undefined ? init : await stored.prepare(init));
  };
  const isPlain = addressed.servers.length === 1 && stored === undefined;
  return {
    ok: true,
    target: {
      failover,
      traceId,
      spanId,
      mayBeRepeated: mayBeRepeated({ method, hasBody }, service),
      call: isPlain ? () => place.fetch(failover.next()?.url ?? '', init) : callOneOf,
    },
  };
}

/** Who can take the secrets of this call out of what is reported of it. */
function holderOf(env: TargetEnv, service: ServiceDefinition, call: Call): SecretsHolder | undefined {
  if (!hasSecrets(service)) return undefined;
  return { shard: Number(env.shard), service: call.service, key: call.key && keyLabel(call.key) };
}

type Addressed =
  | { readonly ok: true; readonly servers: readonly (CallableServer & { readonly url: string })[] }
  | { readonly ok: false; readonly problem: string };

/**
 * The request's address on each server, with the key where it goes into the address; what the service says besides,
 * and how an answer may be packed, is set among `headers`. Other servers that may not have the service's secrets are
 * left out; the chosen one must.
 */
export function addressesOf(
  env: TargetEnv,
  service: ServiceDefinition,
  servers: readonly [CallableServer, ...CallableServer[]],
  path: string,
  headers: Record<string, string>,
  key: Call['key'],
): Addressed {
  const problem = setServiceHeaders(env, service, servers[0].baseUrl, headers);
  if (problem !== undefined) return { ok: false, problem };
  headers['accept-encoding'] = ACCEPTED_ENCODINGS;
  const value = key && env.keys.value(key.pool, key.number);
  if (key !== undefined && value === undefined)
    return { ok: false, problem: `Key ${key.number} of the pool ${key.pool} is not set on this consumer.` };
  const addressed: (CallableServer & { url: string })[] = [];
  const isOpen = !hasSecrets(service);
  for (const server of servers) {
    if (!isOpen && addressed.length > 0 && !mayHaveSecretsAt(service, server.baseUrl)) continue;
    const url = joinUrl(server.baseUrl, path);
    const placed = value === undefined ? { ok: true as const, url } : placeKey(service, url, headers, value);
    if (placed.ok) addressed.push({ ...server, url: placed.url });
    else if (addressed.length === 0) return placed;
  }
  return { ok: true, servers: addressed };
}

/** Text goes out as text: the runtime encodes it without a copy of ours. */
function bodyOf(content: Content): string | Uint8Array<ArrayBuffer> {
  return content.encoding === 'base64' ? bytesFromContent(content) : content.text;
}

type CallAddress =
  | {
      readonly ok: true;
      /** At least one: the first is called, others are for failover. */
      readonly servers: readonly [CallableServer, ...CallableServer[]];
      readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
    }
  | { readonly ok: false; readonly problem: string };

/** @param registered servers that the registry, or what is kept of it, gave the call */
export function placeOf(
  env: TargetEnv,
  service: ServiceDefinition,
  registered: readonly CallableServer[] = [],
): CallAddress {
  const { baseUrl, binding } = service;
  if (isOwnTarget(env, service, registered[0]?.baseUrl)) return { ok: false, problem: OWN_PROBLEM };
  if (baseUrl !== undefined) {
    return { ok: true, servers: [{ id: hostOf(service, baseUrl), baseUrl }], fetch: env.outbound };
  }
  if (binding === undefined) {
    const [first, ...others] = registered;
    if (first === undefined) return { ok: false, problem: 'The service has no fixed target, and no server is known.' };
    return { ok: true, servers: [first, ...others], fetch: env.outbound };
  }
  const backend = env.backend(binding);
  if (backend === undefined)
    return { ok: false, problem: `The service binding ${binding} is not set on this consumer.` };
  const bound = { id: binding, baseUrl: BINDING_ORIGIN };
  return { ok: true, servers: [bound], fetch: (url, init) => backend.fetch(url, init) };
}

const OWN_PROBLEM = `The target ${OWN_ADDRESS_PROBLEM}.`;

/** By address and this deployment's own: an address is parsed once, not once a call. */
const ownTargets = new Map<string, boolean>();
const MAX_OWN_TARGETS = 1_000;

function isOwnTarget({ publicUrl }: TargetEnv, service: ServiceDefinition, server: string | undefined): boolean {
  const address = service.baseUrl ?? server;
  if (address === undefined) return false;
  const known = `${address} ${publicUrl}`;
  let isOwn = ownTargets.get(known);
  if (isOwn === undefined) {
    isOwn = isOwnAddress(address, publicUrl);
    if (ownTargets.size >= MAX_OWN_TARGETS) ownTargets.clear();
    ownTargets.set(known, isOwn);
  }
  return isOwn;
}

const hosts = new WeakMap<ServiceDefinition, string>();

/** Parsed once a definition, not once a call. */
function hostOf(service: ServiceDefinition, baseUrl: string): string {
  let host = hosts.get(service);
  if (host === undefined) {
    host = new URL(baseUrl).host;
    hosts.set(service, host);
  }
  return host;
}

/**
 * Sets the headers that the service's definition gives: secret ones only where they may go.
 * @param baseUrl of the server that gets the request
 * @returns what is wrong with one of them; the text never holds a secret
 */
export function setServiceHeaders(
  env: TargetEnv,
  service: ServiceDefinition,
  baseUrl: string,
  headers: Record<string, string>,
): string | undefined {
  for (const [name, value] of Object.entries(service.headers)) {
    const isSecret = typeof value !== 'string';
    if (isSecret && !mayHaveSecretsAt(service, baseUrl)) return secretProblem(new URL(baseUrl).origin);
    const text = isSecret ? env.secret(value.secret)?.trim() : value;
    if (text === undefined) return `The secret for the header ${name} is not set on this consumer.`;
    // The runtime refuses control characters with an exception and writes what is not ASCII into its log.
    if (!HEADER_VALUE_PATTERN.test(text)) return `The secret for the header ${name} is not printable ASCII.`;
    headers[name.toLowerCase()] = text;
  }
  return undefined;
}

/** Below the base path, whatever the path says: it starts with one slash and has no dot segments. */
export function joinUrl(baseUrl: string, path: string): string {
  return (baseUrl.endsWith('/') ? baseUrl.replace(/\/+$/, '') : baseUrl) + path;
}

/** The attempt's place in the trace of its task, and the headers by which a backend joins it. */
export function traceOf({ traceparent, tracestate }: TaskRequest, id: string) {
  const parent = traceparent === undefined ? undefined : readTraceParent(traceparent);
  const traceId = parent?.traceId ?? traceIdOf(id);
  const spanId = newSpanId();
  const headers = {
    traceparent: traceParent(traceId, spanId, parent?.flags),
    ...(parent !== undefined && tracestate !== undefined && { tracestate }),
  };
  return { traceId, spanId, headers };
}
