/**
 * A service: a named backend and how to call it. Definitions stand in `wrangler.toml` under
 * `[vars.SERVICES.<name>]` and are parsed here, once, by every Worker that needs them.
 */
import * as z from 'zod';
import { byName } from '../by-name.ts';
import { jsonOfVariable } from '../env.ts';
import { HEADER_VALUE_PATTERN } from '../header-value.ts';
import { POOL_NAME_PATTERN } from '../key/name.ts';
import { AnswerRulesSchema } from '../task/answer-rule.ts';
import { DEFAULT_RETRY_POLICY } from '../task/backoff.ts';
import { ERROR_CLASSES } from '../task/error-class.ts';
import { TASK_METHODS } from '../task/request.ts';
import { HookSchema, hookUrlProblem } from '../webhook/hook.ts';
import { ClientQuotaSchema } from './client-quota.ts';
import { asRead, isOfOneHop } from './request-headers.ts';
import { hasSecrets } from './secret-origin.ts';
import { targetProblem } from './target.ts';

export const SERVICE_NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Names of services, each once. */
export const FallbackSchema = z
  .array(z.string().regex(SERVICE_NAME_PATTERN, 'a service name is lower-case letters, digits and dashes'))
  .max(5)
  .refine((names) => new Set(names).size === names.length, 'names a service twice');

/** How one of several servers is picked; see `docs/servers.md`. */
export const BALANCING_ALGORITHMS = [
  'round-robin',
  'random',
  'weighted',
  'least-connections',
  'peak-ewma',
  'sticky',
] as const;
export type BalancingAlgorithm = (typeof BALANCING_ALGORITHMS)[number];

/** Ten minutes: with the lease and its margins a batch stays below the platform's 15 minutes. */
export const MAX_TIMEOUT_SECONDS = 600;

/** Seven days: the longest that a task may live, and so below the shortest retention of its row. */
export const MAX_DEADLINE_SECONDS = 7 * 86_400;

/** Calls at a time, or a second, of a service or a key: what is more is no limit. */
const MAX_CALLS = 100_000;
const MAX_TOKENS = 10_000_000_000;
const atMost = (most: number) => `may be at most ${most}; leave it out where there is no such limit`;

/** About one call a day, as of flows: below it tasks come to the end of their time before their turn. */
const MIN_PER_SECOND = 0.00001;
const TOO_SLOW = 'must be at least 0.00001, about one call a day; pause the service where it should not be called';

/** Headers that Tasklane sets itself; a definition or a task may not. */
const RESERVED_HEADER =
  /^(?:host|content-length|accept-encoding|idempotency-key|task-.*|tasklane-.*|traceparent|tracestate|cf-.*)$/i;

export const HeaderNameSchema = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'not a header name')
  .refine((name) => !RESERVED_HEADER.test(asRead(name)), 'this header is set by Tasklane')
  .refine((name) => !isOfOneHop(name), 'this header is about one connection, which Tasklane and the platform open');

/** Bindings and secrets of Workers. */
const BINDING_NAME_PATTERN = /^[A-Z][A-Z0-9_]*$/;

export const HeaderValueSchema = z.string().max(4096).regex(HEADER_VALUE_PATTERN, 'header values are printable ASCII');

/** Of a path with its query: more than proxies and servers take (8,000 octets, RFC 9110 section 4.1). */
const MAX_PATH_CHARS = 8_000;

/** A path below the base URL, with a query if need be; a leading slash, no scheme, no dot segments. */
export const PathSchema = z
  .string()
  .max(
    MAX_PATH_CHARS,
    `a path has at most ${MAX_PATH_CHARS} characters, its query included; send longer texts in the body`,
  )
  .regex(/^\/(?!\/)[^\s\\#]*$/, 'a path starts with one slash and has no spaces, backslashes or fragment')
  // The URL parser drops control characters, so a check before it must not let them through.
  .refine((path) => !/\p{Cc}/u.test(path), 'a path has no control characters')
  .refine((path) => !/%00/.test(pathOf(path)), 'a path has no zero character (%00)')
  // A backend may take an encoded slash for a slash. What stands in the query is a value.
  .refine(
    (path) => !/(?:^|\/|%2f|%5c)(?:\.|%2e){1,2}(?:\/|%2f|%5c|$)/i.test(pathOf(path)),
    'a path has no dot segments',
  );

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}

/** The path of a request, which reaches the backend byte for byte. */
export const RequestTargetSchema = PathSchema.refine(
  (path) => URL.parse(`http://host${path}`)?.href === `http://host${path}`,
  {
    error: ({ input }) =>
      `would be rewritten on its way; write it as ${URL.parse(`http://host${String(input)}`)?.href.slice('http://host'.length)}`,
  },
);

/** Times are kept in whole milliseconds: 1.2345 s are 1.235 s everywhere behind this edge. */
function seconds(number: z.ZodNumber) {
  return number.overwrite((value) => Math.ceil(Number((value * 1000).toFixed(6))) / 1000);
}

export const ServiceDefinitionSchema = z
  .strictObject({
    /**
     * Where the backend lives. Requests go to this origin and below this path, nowhere else. Without it
     * and without a binding, the service lives on the servers that register themselves for it.
     */
    baseUrl: z.url({ protocol: /^https?$/ }).optional(),
    /** Or a Worker behind the service binding of this name. */
    binding: z.string().regex(BINDING_NAME_PATTERN).optional(),
    method: z.enum(TASK_METHODS).default('POST'),
    /** Used when a task names no path. */
    path: PathSchema.default('/'),
    timeoutSeconds: seconds(z.number().positive().max(MAX_TIMEOUT_SECONDS)).default(30),
    /** How long a backend that answered 202 may take to call back. */
    callbackTimeoutSeconds: seconds(z.number().positive().max(MAX_DEADLINE_SECONDS)).default(600),
    /** From submission to the end, whatever happens. */
    deadlineSeconds: seconds(z.number().positive().max(MAX_DEADLINE_SECONDS)).default(86_400),
    retry: z
      .strictObject({
        maxAttempts: z.number().int().min(1).max(100).default(DEFAULT_RETRY_POLICY.maxAttempts),
        baseSeconds: seconds(z.number().min(0).max(3600)).default(DEFAULT_RETRY_POLICY.baseSeconds),
        capSeconds: seconds(z.number().min(0).max(43_200)).default(DEFAULT_RETRY_POLICY.capSeconds),
      })
      .prefault({}),
    /** The backend recognises a repeat by its `Idempotency-Key`: a request that may have been read may be sent again. */
    idempotent: z.boolean().optional(),
    /** Static headers: a value, or the name of the consumer's secret that holds it. */
    headers: z
      .record(
        HeaderNameSchema,
        z.union([HeaderValueSchema, z.strictObject({ secret: z.string().regex(BINDING_NAME_PATTERN) })]),
      )
      .default({}),
    /** The pool of API keys that calls use: `default` is KEY1…n, `gemini` is KEY_GEMINI_1…n. */
    keyPool: z
      .string()
      .regex(POOL_NAME_PATTERN, 'a pool is lower-case letters, digits, dashes and underscores, a letter first')
      .optional(),
    /** How the key is sent; `Authorization: Bearer` unless said otherwise. */
    auth: z
      .strictObject({
        header: HeaderNameSchema.optional(),
        /** Before the key in the header: `Bearer ` in `Authorization`, nothing in others. */
        prefix: HeaderValueSchema.optional(),
        query: z.string().min(1).max(64).optional(),
        /** Origins that keys and secret headers may be sent to beside that of `baseUrl`. */
        origins: z.array(z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin)).optional(),
      })
      .refine(({ header, prefix, query }) => query === undefined || (header ?? prefix) === undefined, {
        message: 'a key is sent in a header or in a query parameter, not in both',
      })
      .optional(),
    /** What one key may do, where the backend does not say it itself. */
    keyLimits: z
      .strictObject({
        requestsPerMinute: z
          .number()
          .int()
          .positive()
          .max(60 * MAX_CALLS, atMost(60 * MAX_CALLS))
          .optional(),
        tokensPerMinute: z.number().int().positive().max(MAX_TOKENS, atMost(MAX_TOKENS)).optional(),
        concurrency: z.number().int().positive().max(MAX_CALLS, atMost(MAX_CALLS)).optional(),
        /** By what the provider tells limits of one key apart: a JSON pointer into the body, or a header's name. */
        bucket: z
          .string()
          .max(200)
          .regex(/^(?:\/.*|[A-Za-z0-9-]+)$/, { error: 'is a JSON pointer such as /model, or the name of a header' })
          .optional(),
      })
      .optional(),
    /** How a call finds its server among those that offer the service. */
    balancing: z.enum(BALANCING_ALGORITHMS).default('least-connections'),
    /** Calls at a time, over all shards and servers. */
    maxConcurrency: z.number().int().min(1).max(MAX_CALLS, atMost(MAX_CALLS)).optional(),
    /** Calls a second, over all shards and servers. */
    requestsPerSecond: z.number().min(MIN_PER_SECOND, TOO_SLOW).max(MAX_CALLS, atMost(MAX_CALLS)).optional(),
    /** What one client may have of it. */
    perClient: ClientQuotaSchema.optional(),
    /** What its answers mean, where the usual reading of a status is not right. */
    answers: AnswerRulesSchema.default([]),
    /** Services that take its failed tasks, in this order; and errors after which that is at once. */
    fallback: FallbackSchema.optional(),
    fallbackOn: z.array(z.enum(ERROR_CLASSES)).max(ERROR_CLASSES.length).optional(),
    /** Whom the end of its tasks is told to, unless a task says it itself or belongs to a group. */
    onComplete: HookSchema.optional(),
    /** Requests' bodies are shown to nobody, results to their owner alone. */
    redactBodies: z.boolean().default(false),
    /**
     * How a payload that is too large for a message reaches the backend: as the body, streamed (unless this says
     * otherwise), or as a link that it fetches (`Task-Payload-Url`).
     */
    bodies: z.enum(['stream', 'link']).optional(),
    /** `DELETE` goes here when a task is cancelled while the backend works on it; `{id}` is the task's id. */
    cancelPath: PathSchema.refine((path) => path.includes('{id}'), 'names the task as {id}').optional(),
  })
  .refine((service) => service.baseUrl === undefined || service.binding === undefined, {
    message: 'give either baseUrl or binding, or neither when servers register themselves for the service',
    path: ['baseUrl'],
  })
  .refine((service) => service.auth?.origins !== undefined || !needsServer(service) || !hasSecrets(service), {
    message: 'name the origins of the servers that keys and secret headers may be sent to in auth.origins',
    path: ['auth', 'origins'],
  })
  .refine(({ keyPool, auth, keyLimits }) => keyPool !== undefined || (keyLimits === undefined && !saysHow(auth)), {
    message: 'name the keyPool whose keys are meant',
    path: ['keyPool'],
  });
export type ServiceDefinition = z.infer<typeof ServiceDefinitionSchema>;

/** `auth.origins` also speaks for secrets in headers; the rest is about keys. */
function saysHow(auth: Readonly<Partial<Record<'header' | 'prefix' | 'query', string | undefined>>> | undefined) {
  return (auth?.header ?? auth?.prefix ?? auth?.query) !== undefined;
}

/** True when a call needs a server, or a place, from the registry. */
export function isRouted(service: ServiceDefinition): boolean {
  return needsServer(service) || (service.maxConcurrency ?? service.requestsPerSecond) !== undefined;
}

/** True when the service lives on servers that register themselves. */
export function needsServer({ baseUrl, binding }: { readonly baseUrl?: unknown; readonly binding?: unknown }): boolean {
  return baseUrl === undefined && binding === undefined;
}

export type Services = Readonly<Record<string, ServiceDefinition>>;

/**
 * The schema of one definition, as it is put at run time.
 * @param allowPrivateTargets true in the local run only: base URLs may be private addresses
 */
export function serviceSchema(allowPrivateTargets: boolean) {
  return ServiceDefinitionSchema.superRefine(({ baseUrl, onComplete }, context) => {
    const problem = baseUrl === undefined ? undefined : targetProblem(baseUrl, allowPrivateTargets);
    if (problem !== undefined) context.addIssue({ code: 'custom', path: ['baseUrl'], message: problem });
    const hookProblem = onComplete && hookUrlProblem(onComplete.url, allowPrivateTargets, undefined);
    if (hookProblem !== undefined)
      context.addIssue({ code: 'custom', path: ['onComplete', 'url'], message: hookProblem });
  });
}

/**
 * The schema of the variable `SERVICES`: a JSON object or its text.
 * @param allowPrivateTargets true in the local run only: base URLs may be private addresses
 */
export function servicesSchema(allowPrivateTargets: boolean) {
  return z.preprocess(
    jsonOfVariable,
    z
      .record(
        z.string().regex(SERVICE_NAME_PATTERN, 'a service name is lower-case letters, digits and dashes'),
        serviceSchema(allowPrivateTargets),
      )
      .transform((services) => byName(services)),
  );
}
