/**
 * An account as Cloudflare keeps it, in memory: what exists, what refers to what, and what the platform
 * refuses. It knows nothing of Tasklane's plan; whether a deploy does the right thing is judged elsewhere
 * (`judge.ts`). Databases are real SQLite, so wrong SQL is found.
 */
import { createHash } from 'node:crypto';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Binding, UploadMetadata } from '../deploy/upload/metadata.ts';
import { exportsOf } from './exports.ts';

export interface Script {
  readonly name: string;
  metadata: UploadMetadata;
  files: readonly { readonly name: string; readonly contents: string }[];
  exports: ReadonlySet<string>;
  readonly secrets: Map<string, string>;
  migrationTag: string | undefined;
  readonly classes: Set<string>;
  crons: readonly string[];
  hasAddress: boolean;
  hasPreviews: boolean;
  domains: readonly string[];
}

export interface CloudConsumer {
  readonly id: string;
  readonly script: string;
  deadLetterQueue: string | undefined;
  settings: Readonly<Record<string, unknown>>;
}

export interface CloudQueue {
  readonly id: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly consumers: Map<string, CloudConsumer>;
  /** Messages that were not acknowledged. */
  backlog: number;
}

export interface CloudDatabase {
  readonly name: string;
  readonly database: DatabaseSync;
  /** All that was done to it. */
  readonly statements: { readonly sql: string; readonly params: readonly SQLInputValue[] }[];
}

/** The API says no. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const MAX_SECRETS_AT_ONCE = 100;

export class Cloud {
  readonly subdomain = 'rehearsal';
  readonly scripts = new Map<string, Script>();
  readonly queues = new Map<string, CloudQueue>();
  readonly databases = new Map<string, CloudDatabase>();
  readonly buckets = new Set<string>();

  /** An account that goes its own way from here. */
  copy(): Cloud {
    const copy = new Cloud();
    for (const [name, script] of this.scripts) {
      copy.scripts.set(name, { ...script, secrets: new Map(script.secrets), classes: new Set(script.classes) });
    }
    for (const [id, queue] of this.queues) {
      const consumers = [...queue.consumers].map(([key, consumer]) => [key, { ...consumer }] as const);
      copy.queues.set(id, { ...queue, consumers: new Map(consumers) });
    }
    for (const [uuid, { name, statements }] of this.databases) {
      copy.createDatabase(name);
      for (const { sql, params } of statements) copy.query(uuid, sql, params);
    }
    for (const bucket of this.buckets) copy.buckets.add(bucket);
    return copy;
  }

  /** @throws Refusal for bindings to what does not exist, classes without a migration, missing modules */
  upload(name: string, metadata: UploadMetadata, files: Script['files']): void {
    const main = files.find((file) => file.name === metadata.main_module);
    if (main === undefined) throw new Refusal(400, 10021, `no module ${metadata.main_module}`);
    const existing = this.scripts.get(name);
    const exported = exportsOf(main.contents);
    const classes = new Set(existing?.classes);
    const { migrations } = metadata;
    if (migrations !== undefined) {
      if (migrations.old_tag !== existing?.migrationTag) {
        throw new Refusal(412, 10079, `the last migration is ${existing?.migrationTag}, not ${migrations.old_tag}`);
      }
      for (const step of migrations.steps) for (const added of asStrings(step.new_sqlite_classes)) classes.add(added);
    }
    for (const added of classes) {
      if (!exported.has(added)) throw new Refusal(400, 10070, `the class ${added} is not exported`);
    }
    for (const binding of metadata.bindings) this.#checkBinding(name, binding, exported, classes);
    this.scripts.set(name, {
      name,
      secrets: new Map(),
      crons: [],
      hasAddress: false,
      hasPreviews: false,
      domains: [],
      ...existing,
      metadata,
      files,
      exports: exported,
      migrationTag: migrations?.new_tag ?? existing?.migrationTag,
      classes,
    });
  }

  #checkBinding(owner: string, binding: Binding, exported: ReadonlySet<string>, classes: ReadonlySet<string>): void {
    const missing = (what: string) => new Refusal(400, 10143, `could not resolve binding "${binding.name}": ${what}`);
    switch (binding.type) {
      case 'plain_text':
      case 'json':
        return;
      case 'queue':
        if (this.queueNamed(String(binding.queue_name)) === undefined) throw missing(`no queue ${binding.queue_name}`);
        return;
      case 'd1':
        if (!this.databases.has(String(binding.id))) throw missing(`no database ${binding.id}`);
        return;
      case 'r2_bucket':
        if (!this.buckets.has(String(binding.bucket_name))) throw missing(`no bucket ${binding.bucket_name}`);
        return;
      case 'durable_object_namespace':
        if (!classes.has(String(binding.class_name))) throw missing(`no class ${binding.class_name}`);
        return;
      case 'service': {
        const target = binding.service === owner ? exported : this.scripts.get(String(binding.service))?.exports;
        if (target === undefined) throw missing(`script ${binding.service} not found`);
        if (binding.entrypoint !== undefined && !target.has(String(binding.entrypoint))) {
          throw missing(`${binding.service} exports no ${binding.entrypoint}`);
        }
        return;
      }
      default:
        throw missing(`bindings of type ${binding.type} are not known here`);
    }
  }

  /** @param secrets null takes one away */
  patchSecrets(name: string, secrets: Readonly<Record<string, { readonly text: string } | null>>): void {
    const script = this.script(name);
    if (Object.keys(secrets).length > MAX_SECRETS_AT_ONCE)
      throw new Refusal(400, 10021, 'more than 100 secrets at once');
    for (const [secret, value] of Object.entries(secrets)) {
      if (script.metadata.bindings.some((binding) => binding.name === secret)) {
        throw new Refusal(400, 10053, `binding name ${secret} is in use`);
      }
      if (value === null) script.secrets.delete(secret);
      else script.secrets.set(secret, value.text);
    }
  }

  deleteScript(name: string, force: boolean): void {
    const script = this.script(name);
    if (!force && (script.classes.size > 0 || this.boundTo(name).length > 0)) {
      throw new Refusal(400, 10064, `${name} is referenced`);
    }
    this.scripts.delete(name);
    for (const queue of this.queues.values()) {
      for (const consumer of queue.consumers.values()) {
        if (consumer.script === name) queue.consumers.delete(consumer.id);
      }
    }
  }

  /** Scripts with a service binding to this one, itself left out. */
  boundTo(name: string): string[] {
    return [...this.scripts.values()]
      .filter((other) => other.name !== name)
      .filter(({ metadata }) => metadata.bindings.some(({ type, service }) => type === 'service' && service === name))
      .map((other) => other.name);
  }

  /** Scripts that send to a queue. */
  sendersTo(queue: string): Script[] {
    return [...this.scripts.values()].filter(({ metadata }) =>
      metadata.bindings.some(({ type, queue_name }) => type === 'queue' && queue_name === queue),
    );
  }

  createQueue(name: string, settings: CloudQueue['settings']): CloudQueue {
    if (this.queueNamed(name) !== undefined) throw new Refusal(409, 11009, `queue name ${name} is taken`);
    const queue = { id: idOf('queue', name), name, settings, consumers: new Map(), backlog: 0 };
    this.queues.set(queue.id, queue);
    return queue;
  }

  attach(queueId: string, consumer: Omit<CloudConsumer, 'id'>): CloudConsumer {
    const queue = this.queue(queueId);
    this.script(consumer.script);
    if (queue.consumers.size > 0) throw new Refusal(400, 11004, `queue ${queue.name} has a consumer`);
    this.#checkDeadLetters(consumer.deadLetterQueue);
    const attached = { ...consumer, id: idOf('consumer', queue.name + consumer.script) };
    queue.consumers.set(attached.id, attached);
    return attached;
  }

  reattach(queueId: string, consumerId: string, changed: Pick<CloudConsumer, 'deadLetterQueue' | 'settings'>): void {
    const consumer = this.queue(queueId).consumers.get(consumerId);
    if (consumer === undefined) throw new Refusal(404, 11006, 'no such consumer');
    this.#checkDeadLetters(changed.deadLetterQueue);
    Object.assign(consumer, changed);
  }

  #checkDeadLetters(name: string | undefined): void {
    if (name !== undefined && this.queueNamed(name) === undefined) throw new Refusal(400, 11003, `no queue ${name}`);
  }

  deleteQueue(id: string): void {
    const queue = this.queue(id);
    if (queue.consumers.size > 0) throw new Refusal(400, 11005, `queue ${queue.name} has a consumer`);
    this.queues.delete(id);
  }

  createDatabase(name: string): { readonly uuid: string; readonly name: string } {
    const uuid = idOf('database', name);
    if (this.databases.has(uuid)) throw new Refusal(400, 7502, `database ${name} exists`);
    this.databases.set(uuid, { name, database: new DatabaseSync(':memory:'), statements: [] });
    return { uuid, name };
  }

  /** Several statements of one text are one transaction. */
  query(uuid: string, sql: string, params: readonly SQLInputValue[]): Record<string, unknown>[] {
    const found = this.databases.get(uuid);
    if (found === undefined) throw new Refusal(404, 7404, 'no such database');
    try {
      if (/^\s*SELECT/i.test(sql)) return found.database.prepare(sql).all(...params);
      found.statements.push({ sql, params });
      if (params.length > 0) return found.database.prepare(sql).all(...params);
      found.database.exec('BEGIN');
      found.database.exec(sql);
      found.database.exec('COMMIT');
      return [];
    } catch (error) {
      if (found.database.isTransaction) found.database.exec('ROLLBACK');
      found.statements.pop();
      throw new Refusal(400, 7500, error instanceof Error ? error.message : String(error));
    }
  }

  deleteDatabase(uuid: string): void {
    if (!this.databases.delete(uuid)) throw new Refusal(404, 7404, 'no such database');
  }

  script(name: string): Script {
    const script = this.scripts.get(name);
    if (script === undefined) throw new Refusal(404, 10007, `script ${name} not found`);
    return script;
  }

  queue(id: string): CloudQueue {
    const queue = this.queues.get(id);
    if (queue === undefined) throw new Refusal(404, 11000, 'no such queue');
    return queue;
  }

  queueNamed(name: string): CloudQueue | undefined {
    return [...this.queues.values()].find((queue) => queue.name === name);
  }
}

/** The same for the same name, so that two accounts that went the same way are equal. */
function idOf(kind: string, name: string): string {
  return createHash('sha256').update(`${kind} ${name}`).digest('hex').slice(0, 32);
}

function asStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
