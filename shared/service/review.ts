/**
 * Whether a service's definition can work where it is to run: does its pool have a key, do the consumers hold
 * the secret of its header, is there the Worker that it names, may its address be called. One function for the
 * plan of a deploy, for `npm start` and for `PUT /api/services`, so that all three say the same words. Pure.
 */
import { DEFAULT_POOL, poolNameOf } from '../key/name.ts';
import type { ServiceDefinition, Services } from './definition.ts';
import { targetProblem } from './target.ts';

/** What there is for services to use; undefined when it is not known here, and then nothing is said about it. */
export interface ServiceSurroundings {
  readonly allowsPrivateTargets: boolean;
  /** Pools of which some consumer holds a key, as `poolNameOf` writes them. */
  readonly pools: ReadonlySet<string> | undefined;
  /** Secrets that the consumers hold beside API keys. */
  readonly secrets: ReadonlySet<string> | undefined;
  /** Service bindings of the consumers. */
  readonly bindings: ReadonlySet<string> | undefined;
}

export interface ServiceFinding {
  /** `refused`: calls of the service could not succeed. `warning`: some may not. */
  readonly kind: 'refused' | 'warning';
  /** Inside the definition. */
  readonly path: readonly string[];
  readonly message: string;
}

/** An origin behind Cloudflare that sends no headers for this long is answered 524; other proxies are no more patient. */
const PROXY_PATIENCE_SECONDS = 100;

export function reviewService(service: ServiceDefinition, around: ServiceSurroundings): readonly ServiceFinding[] {
  return [...targetFindings(service, around), ...poolFindings(service, around), ...secretFindings(service, around)];
}

/** Findings of all services, each with the service's name before its path. */
export function reviewServices(services: Services, around: ServiceSurroundings): readonly ServiceFinding[] {
  return Object.entries(services).flatMap(([name, service]) =>
    reviewService(service, around).map((finding) => ({ ...finding, path: [name, ...finding.path] })),
  );
}

/** Secrets that the headers of services name: whoever calls these services is given them. */
export function headerSecretNames(services: Services): readonly string[] {
  return [...new Set(Object.values(services).flatMap((service) => secretsIn(service).map(({ secret }) => secret)))];
}

function targetFindings({ baseUrl, binding, timeoutSeconds }: ServiceDefinition, around: ServiceSurroundings) {
  const findings: ServiceFinding[] = [];
  const problem = baseUrl === undefined ? undefined : targetProblem(baseUrl, around.allowsPrivateTargets);
  if (problem !== undefined) findings.push({ kind: 'refused', path: ['baseUrl'], message: problem });
  if (binding !== undefined && around.bindings?.has(binding) === false) {
    findings.push({
      kind: 'refused',
      path: ['binding'],
      message: `the consumers have no binding ${binding}; add { binding = "${binding}", service = "…" } to env.consumer.services in wrangler.toml`,
    });
  }
  if (binding === undefined && timeoutSeconds > PROXY_PATIENCE_SECONDS && !around.allowsPrivateTargets) {
    findings.push({
      kind: 'warning',
      path: ['timeoutSeconds'],
      message: `a proxy before the backend may cut a call after ${PROXY_PATIENCE_SECONDS} s (Cloudflare answers 524); for longer work the backend answers 202 and calls back`,
    });
  }
  return findings;
}

function poolFindings({ keyPool }: ServiceDefinition, { pools }: ServiceSurroundings): ServiceFinding[] {
  if (keyPool === undefined || pools === undefined || pools.has(poolNameOf(keyPool))) return [];
  const variable = keyPool === DEFAULT_POOL ? 'KEY1' : `KEY_${poolNameOf(keyPool).toUpperCase()}_1`;
  const known = pools.size === 0 ? 'there is no pool' : `there are ${[...pools].sort().join(', ')}`;
  return [
    {
      kind: 'refused',
      path: ['keyPool'],
      message: `the pool ${keyPool} has no key (${known}); give one as ${variable}, or name another pool`,
    },
  ];
}

function secretFindings(service: ServiceDefinition, { secrets }: ServiceSurroundings): ServiceFinding[] {
  if (secrets === undefined) return [];
  return secretsIn(service)
    .filter(({ secret }) => !secrets.has(secret))
    .map(({ header, secret }) => ({
      kind: 'refused',
      path: ['headers', header, 'secret'],
      message: `the consumers hold no secret ${secret}; name it in a service of wrangler.toml and deploy with ${secret} in the environment`,
    }));
}

function secretsIn({ headers }: Pick<ServiceDefinition, 'headers'>) {
  return Object.entries(headers).flatMap(([header, value]) =>
    typeof value === 'string' ? [] : [{ header, secret: value.secret }],
  );
}
