/**
 * The metadata that goes with a Worker's modules to the API: its bindings, as `wrangler.toml` describes
 * them. Pure. wrangler writes the same for a configuration (`build-uploads.ts` compares the two at every
 * build, so a section that is not known here stops a deploy and is not silently left out); written here
 * again because the consumers of a hundred shards differ in nothing else, and the database's id and the
 * Durable Objects' migrations are known only once the account was read.
 */
import { RELEASE_PREFIX, type ScriptSettings } from '../account/account.ts';
import type { WorkerConfig } from '../plan/wrangler-file.ts';

export interface Binding {
  readonly name: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What makes one version of a Worker. */
export interface VersionMetadata {
  readonly main_module: string;
  readonly bindings: readonly Binding[];
  readonly compatibility_date: string;
  readonly compatibility_flags: readonly string[];
  readonly keep_bindings: readonly string[];
  readonly limits?: { readonly cpu_ms?: number | undefined };
  readonly placement?: { readonly mode: string };
}

/** All that goes with an upload. */
export interface UploadMetadata extends VersionMetadata, ScriptSettings {
  readonly migrations?: DurableObjectMigrations;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface DurableObjectMigrations {
  readonly old_tag?: string;
  readonly new_tag: string;
  readonly steps: readonly Readonly<Record<string, unknown>>[];
}

/** Secrets that the newest version has stay, those apart that an upload carries itself. */
const KEPT_BINDINGS = ['secret_text', 'secret_key'];

export function versionMetadata(
  worker: WorkerConfig,
  mainModule: string,
  databaseIds: ReadonlyMap<string, string>,
): VersionMetadata {
  return {
    main_module: mainModule,
    bindings: bindingsOf(worker, databaseIds),
    compatibility_date: worker.compatibility_date,
    compatibility_flags: worker.compatibility_flags ?? [],
    keep_bindings: KEPT_BINDINGS,
    ...(worker.limits !== undefined && { limits: worker.limits }),
    // wrangler leaves it out too: it is what a Worker without the setting has.
    ...(worker.placement?.mode === 'smart' && { placement: worker.placement }),
  };
}

/** What belongs to the Worker whatever its version: sent with an upload, and by itself when only it differs. */
export function scriptSettings({ observability, logpush, tail_consumers }: WorkerConfig): ScriptSettings {
  return {
    ...(observability !== undefined && { observability }),
    ...(logpush !== undefined && { logpush }),
    ...(tail_consumers !== undefined && { tail_consumers }),
  };
}

/** The same with what is not said set to off: what was on before does not stay on. */
export function wholeSettings(worker: WorkerConfig): Required<ScriptSettings> {
  return { observability: { enabled: false }, logpush: false, tail_consumers: [], ...scriptSettings(worker) };
}

export function secretBindings(names: readonly string[], secretOf: (name: string) => string | undefined): Binding[] {
  return names.flatMap((name) => {
    const text = secretOf(name);
    return text === undefined ? [] : [{ name, type: 'secret_text', text }];
  });
}

function bindingsOf(worker: WorkerConfig, databaseIds: ReadonlyMap<string, string>): Binding[] {
  return [
    ...Object.entries(worker.vars).map(([name, value]) =>
      typeof value === 'string' ? { name, type: 'plain_text', text: value } : { name, type: 'json', json: value },
    ),
    ...worker.durable_objects.bindings.map(({ name, class_name }) => ({
      name,
      type: 'durable_object_namespace',
      class_name,
    })),
    ...worker.queues.producers.map(({ binding, queue }) => ({ name: binding, type: 'queue', queue_name: queue })),
    ...worker.r2_buckets.map(({ binding, bucket_name }) => ({ name: binding, type: 'r2_bucket', bucket_name })),
    ...worker.d1_databases.map(({ binding, database_name }) => ({
      name: binding,
      type: 'd1',
      id: databaseIds.get(database_name) ?? '',
    })),
    ...worker.ratelimits.map((limit) => ({ ...limit, type: 'ratelimit' })),
    ...worker.services.map(({ binding, service, entrypoint }) => ({
      name: binding,
      type: 'service',
      service,
      ...(entrypoint !== undefined && { entrypoint }),
    })),
  ];
}

/**
 * The migrations that a Worker's Durable Objects still need.
 * @param appliedTag the last one that was applied; undefined for a new Worker
 */
export function pendingMigrations(
  { migrations }: WorkerConfig,
  appliedTag: string | undefined,
): DurableObjectMigrations | undefined {
  const last = migrations.at(-1);
  if (last === undefined || last.tag === appliedTag) return undefined;
  // A tag that is not in the file: the first of the file comes after it.
  const applied = migrations.findIndex(({ tag }) => tag === appliedTag);
  return {
    ...(appliedTag !== undefined && { old_tag: appliedTag }),
    new_tag: last.tag,
    steps: migrations.slice(applied + 1).map(({ tag: _, ...step }) => step),
  };
}

/** A version's tag holds 100 bytes; the message is what the dashboard shows beside it. */
export function releaseAnnotations(release: string): Record<string, string> {
  return { 'workers/tag': RELEASE_PREFIX + release, 'workers/message': 'npm run deploy' };
}
