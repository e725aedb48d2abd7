/**
 * `agent.json`: where Tasklane is, where this machine is called, and which local services it may
 * offer. One schema; what is wrong is told as field, reason and fix. The token is no part of it: the
 * file only names the environment variable that holds it.
 */
import * as z from 'zod';
import { OfferedServiceSchema, RegistrationSchema } from '../shared/registry/registration.ts';
import { targetProblem } from '../shared/service/target.ts';

const address = z
  .url({ protocol: /^https?$/, error: ({ input }) => (input === undefined ? 'is missing' : 'is no web address') })
  .refine((url) => targetProblem(url, true) === undefined, 'has a query, a fragment or credentials')
  .transform((url) => url.replace(/\/+$/, ''));

/** Where a version is read: a member of the JSON answer (`info.version`), a header, or simply said. */
const VersionSourceSchema = z.union([
  z.string().min(1).max(64),
  z.strictObject({ json: z.string().min(1) }),
  z.strictObject({ header: z.string().min(1) }),
]);
export type VersionSource = z.output<typeof VersionSourceSchema>;

const LocalServiceSchema = OfferedServiceSchema.extend({
  /** What the public address (`url`, `port`, `path`) leads to, as seen from here. */
  localUrl: address,
  version: VersionSourceSchema.optional(),
});
export type LocalService = z.output<typeof LocalServiceSchema>;

const {
  url: _url,
  services: _services,
  wantsHeartbeatLeadership: _lead,
  agentUrl: _agentUrl,
  ...said
} = RegistrationSchema.shape;

const ListenSchema = z.strictObject({
  port: z.number().int().min(0).max(65_535),
  /** All interfaces unless said otherwise: the leader is another machine. */
  host: z.string().min(1).optional(),
  /** How the leader reaches this agent: `http://<host of url>:<port>` unless said otherwise. */
  url: address.optional(),
});

export const ConfigSchema = z.strictObject({
  /** Of the producer. */
  coordinator: address.refine(
    // The token goes there with every request.
    (url) => url.startsWith('https:') || targetProblem(url.replace('http:', 'https:'), false) !== undefined,
    'would carry the token unencrypted over the internet',
  ),
  tokenEnv: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'is not the name of an environment variable')
    .default('TASKLANE_TOKEN'),
  url: address,
  services: z
    .array(LocalServiceSchema)
    .min(1, 'names no service')
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'names a service twice'),
  ...said,
  listen: ListenSchema.optional(),
  /** True: this agent may send the heartbeats of its cluster. With `listen` yes, unless said otherwise. */
  lead: z.boolean().optional(),
  /** Between two looks at the local services. */
  detectSeconds: z.number().min(0.1).max(3600).default(5),
  /** How long running work may take to finish when this agent is told to stop; 0 does not wait. */
  drainSeconds: z.number().min(0).max(3600).default(60),
});
export type AgentConfig = z.output<typeof ConfigSchema>;

/** What the environment says wins over the file: one file serves many machines. */
const FROM_ENVIRONMENT = { coordinator: 'TASKLANE_COORDINATOR', url: 'TASKLANE_SERVER_URL' } as const;

const FIXES: Readonly<Record<string, string>> = {
  coordinator: `the address of your Tasklane, such as https://tasklane.example.com (or set ${FROM_ENVIRONMENT.coordinator})`,
  url: `where Tasklane calls this machine, its tunnel or public address, such as https://ocr-1.example.net (or set ${FROM_ENVIRONMENT.url})`,
  localUrl: 'where the service listens on this machine, such as http://127.0.0.1:9000',
  services: 'list each service once: [{ "name": "ocr", "localUrl": "http://127.0.0.1:9000" }]',
  name: 'the name of the service in Tasklane: lower-case letters, digits and dashes',
  version: '"1.2.0", { "json": "version" } for a member of the health answer, or { "header": "x-version" }',
  healthPath: 'a path below localUrl that answers 2xx while the service works, such as /health',
  path: 'the path below url at which the service is published, such as /ocr',
  listen: 'where the leader probes this agent: { "port": 7070, "url": "http://10.0.0.5:7070" }',
  tokenEnv: 'the name of the variable that holds the token, such as TASKLANE_TOKEN; never the token itself',
};

export type ConfigResult =
  | { readonly ok: true; readonly config: AgentConfig }
  | { readonly ok: false; readonly problems: readonly string[] };

/** @param text of the file */
export function parseConfig(text: string, environment: Readonly<Record<string, string | undefined>>): ConfigResult {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    return { ok: false, problems: [`it is not JSON: ${(error as Error).message}`] };
  }
  if (typeof file === 'object' && file !== null && !Array.isArray(file))
    file = { ...file, ...fromEnvironment(environment) };
  const { success, data, error } = ConfigSchema.safeParse(file);
  return success ? { ok: true, config: data } : { ok: false, problems: error.issues.map(describeIssue) };
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(FROM_ENVIRONMENT).flatMap(([field, name]) => {
      const value = environment[name];
      return value ? [[field, value]] : [];
    }),
  );
}

/** Field, reason, fix. */
function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `${fieldOf([...issue.path, ...issue.keys.slice(0, 1)])}: is not a field of the configuration; see docs/agent.md`;
  }
  const named = issue.path.findLast((part) => typeof part === 'string' && part in FIXES);
  const reason =
    issue.code === 'invalid_type' && /received undefined/.test(issue.message) ? 'is missing' : issue.message;
  const fix = named === undefined ? undefined : FIXES[String(named)];
  return `${fieldOf(issue.path)}: ${lowerFirst(reason)}${fix === undefined ? '' : `. Give ${fix}`}`;
}

function fieldOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text.replace(/^\./, '') || 'the configuration';
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text[0]?.toLowerCase() + text.slice(1) : text;
}

/** Where the leader of the cluster probes this agent; undefined without `listen`. */
export function agentUrlOf({ url, listen }: AgentConfig, port: number): string | undefined {
  if (listen === undefined) return undefined;
  return listen.url ?? `http://${new URL(url).hostname}:${port}`;
}

export function mayLead({ lead, listen }: AgentConfig): boolean {
  return lead ?? listen !== undefined;
}
