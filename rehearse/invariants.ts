/**
 * What must hold in an account at every moment of a deploy, whoever asks: no secret outside the calls that carry
 * secrets, and, as long as there is a public address, a whole system behind it that writes its log. Pure.
 */

import type { FakeCloudflare } from './fake-cloudflare.ts';
import type { ApiRequest } from './routes.ts';
import type { Script } from './script.ts';

/** Secrets have two ways into an account: the call that sets them, and an upload's bindings of their own type. */
export function leaks(request: ApiRequest, secrets: readonly string[]): string[] {
  const isSecretsCall = /\/(?:secrets|secrets-bulk)$/.test(request.path);
  const isUpload = request.method === 'PUT' && /^\/workers\/scripts\/[^/]+$/.test(request.path);
  const address = `${request.path}?${request.query}`;
  const found = secrets.filter((secret) => request.body.includes(secret));
  const elsewhere = isUpload && found.length > 0 ? withoutSecretBindings(request.body.toString(), found) : request.body;
  return secrets.flatMap((secret) => {
    if (address.includes(secret)) return [`${request.method} ${request.path}: a secret is in the address`];
    const inBody = !isSecretsCall && elsewhere.includes(secret);
    return inBody ? [`${request.method} ${request.path}: a secret is in the body`] : [];
  });
}

function withoutSecretBindings(body: string, secrets: readonly string[]): string {
  return secrets.reduce(
    (rest, secret) => rest.replaceAll(`"type":"secret_text","text":${JSON.stringify(secret)}`, ''),
    body,
  );
}

/** What of the system behind a public address is missing; empty when it works, or when there is no address. */
export function faultsOf(
  cloud: FakeCloudflare,
  requiredSecrets: Readonly<Record<string, readonly string[]>>,
): string[] {
  const entrances = [...cloud.scripts.values()].filter(({ hasAddress, domains }) => hasAddress || domains.length > 0);
  const behind = new Set<Script>();
  const walk = (script: Script) => {
    if (behind.has(script)) return;
    behind.add(script);
    for (const { name } of bound(script, 'service')) {
      const target = cloud.scripts.get(name);
      if (target !== undefined) walk(target);
    }
    for (const { name } of bound(script, 'queue')) {
      for (const { script: consumer } of cloud.queueNamed(name)?.consumers.values() ?? []) {
        const target = cloud.scripts.get(consumer);
        if (target !== undefined) walk(target);
      }
    }
  };
  for (const entrance of entrances) walk(entrance);
  return [
    ...sharedCounters([...behind]),
    ...[...behind].flatMap((script) => [
      ...missingBehind(cloud, script),
      ...(script.settings.observability?.enabled === true
        ? []
        : [`${script.name} writes no log: observability is off`]),
      ...(requiredSecrets[roleOf(script.name)] ?? [])
        .filter((secret) => !script.secrets.has(secret))
        .map((secret) => `${script.name} lacks the secret ${secret}`),
    ]),
  ];
}

/** An account counts together what has the same id, whichever Worker counts. */
function sharedCounters(scripts: readonly Script[]): string[] {
  const counters = scripts.flatMap(({ name, metadata }) =>
    metadata.bindings
      .filter(({ type }) => type === 'ratelimit')
      .map(({ namespace_id }) => ({ name, id: String(namespace_id) })),
  );
  return [...Map.groupBy(counters, ({ id }) => id)]
    .filter(([, same]) => same.length > 1)
    .map(([id, same]) => `${same.map(({ name }) => name).join(' and ')} count together in ${id}`);
}

function missingBehind(cloud: FakeCloudflare, script: Script): string[] {
  const services = bound(script, 'service')
    .filter(({ name }) => !cloud.scripts.has(name))
    .map(({ name }) => `${script.name} is bound to ${name}, which is gone`);
  const queues = bound(script, 'queue').flatMap(({ name }) => {
    const queue = cloud.queueNamed(name);
    if (queue === undefined) return [`${script.name} sends to ${name}, which is gone`];
    return queue.consumers.size === 0 ? [`${script.name} sends to ${name}, which nobody consumes`] : [];
  });
  const databases = script.metadata.bindings
    .filter(({ type }) => type === 'd1')
    .flatMap(({ id }) => {
      const found = cloud.databases.get(String(id));
      if (found === undefined) return [`${script.name} is bound to a database that is gone`];
      const table = found.database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tasks'").get();
      return table === undefined ? [`${script.name} has a database without tables`] : [];
    });
  return [...services, ...queues, ...databases, ...missingKeys(script), ...unknownStores(cloud, script)];
}

/** A store to which the producer gives tasks is one that the callback Worker can write to, and none that is to go. */
function unknownStores(cloud: FakeCloudflare, script: Script): string[] {
  if (roleOf(script.name) !== 'producer') return [];
  const callback = [...cloud.scripts.values()].find(
    ({ name }) => name === script.name.replace(/-producer$/, '-callback'),
  );
  const draining = new Set(
    String(script.metadata.bindings.find(({ name }) => name === 'STORES_DRAINING')?.text ?? '').split(','),
  );
  return storesBound(script)
    .filter(({ store }) => !draining.has(store))
    .flatMap(({ store, id }) => {
      const isBound = callback === undefined || storesBound(callback).some((other) => other.id === id);
      const noted = cloud.databases.get(id)?.database.prepare("SELECT 1 FROM scans WHERE name = 'draining'").get();
      return [
        ...(isBound ? [] : [`tasks of store ${store} cannot be recorded: ${callback?.name} is not bound to it`]),
        ...(noted === undefined ? [] : [`store ${store} gets tasks and is noted as one that goes`]),
      ];
    });
}

function storesBound({ metadata }: Script): { readonly store: string; readonly id: string }[] {
  return metadata.bindings
    .filter(({ type, name }) => type === 'd1' && /^TASK_DB_\d+$/.test(name))
    .map(({ name, id }) => ({ store: name.slice('TASK_DB_'.length), id: String(id) }));
}

/** A shard that is said to hold keys of a pool holds some. */
function missingKeys(script: Script): string[] {
  const variable = (name: string) => script.metadata.bindings.find((binding) => binding.name === name);
  const shard = variable('SHARD');
  const pools = (variable('KEY_SHARDS')?.json ?? {}) as Readonly<Record<string, readonly number[]>>;
  if (shard === undefined) return [];
  return Object.entries(pools)
    .filter(([, shards]) => shards.includes(Number(shard.text)))
    .map(([pool]) => (pool === 'default' ? 'KEY' : `KEY_${pool.toUpperCase()}_`))
    .filter((prefix) => ![...script.secrets.keys()].some((name) => new RegExp(`^${prefix}\\d+$`).test(name)))
    .map((prefix) => `${script.name} is said to hold ${prefix}… and holds none`);
}

/** Kinds of Workers by the end of their name: the plan is not read here. */
function roleOf(name: string): string {
  return /-(producer|callback|consumer)(?:-\d+)?$/.exec(name)?.[1] ?? '';
}

function bound({ metadata }: Script, type: 'service' | 'queue'): { readonly name: string }[] {
  return metadata.bindings
    .filter((binding) => binding.type === type)
    .map(({ service, queue_name }) => ({ name: String(service ?? queue_name) }));
}
