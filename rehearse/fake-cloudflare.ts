/**
 * An account as Cloudflare keeps it, in memory: what exists, what refers to what, and what the platform
 * refuses. It knows nothing of Tasklane's plan; whether a deploy does the right thing is decided elsewhere
 * (`invariants.ts`). Databases are real SQLite, so wrong SQL is found.
 */
import { createHash } from 'node:crypto';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Binding, UploadMetadata } from '../deploy/upload/metadata.ts';
import { type AccountLimits, checkCompatibility, checkVariables, PAID } from './account-limits.ts';
import { exportsOf } from './exports.ts';
import { ApiRefusal, UNPUBLISHED } from './refusal.ts';
import { dashedId, Script, type ScriptSettings, type UploadedFile } from './script.ts';

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

export interface KeptLine {
  readonly script: string;
  readonly timestamp: number;
  readonly line: Readonly<Record<string, unknown>>;
}

type Rows = Record<string, unknown>[];

const MAX_SECRETS_AT_ONCE = 100;

export class FakeCloudflare {
  readonly subdomain = 'rehearsal';
  readonly scripts = new Map<string, Script>();
  readonly queues = new Map<string, CloudQueue>();
  readonly databases = new Map<string, CloudDatabase>();
  readonly buckets = new Set<string>();
  /** Those of them that hold something. */
  readonly filledBuckets = new Set<string>();
  /** What its Workers wrote and it keeps, those apart whose log is off. */
  readonly logs: KeptLine[] = [];
  /** What the token may not do, by what addresses begin with. */
  forbidden: readonly string[] = [];
  /** R2 was never opened in the dashboard. */
  lacksR2 = false;
  /** Hosts of the account's zones that lead elsewhere already. */
  readonly takenDomains = new Set<string>();
  limits: AccountLimits = PAID;

  /** An account that goes its own way from here. */
  copy(): FakeCloudflare {
    const copy = new FakeCloudflare();
    copy.limits = this.limits;
    copy.forbidden = this.forbidden;
    copy.lacksR2 = this.lacksR2;
    for (const bucket of this.filledBuckets) copy.filledBuckets.add(bucket);
    for (const domain of this.takenDomains) copy.takenDomains.add(domain);
    for (const [name, script] of this.scripts) copy.scripts.set(name, script.copy());
    for (const [id, queue] of this.queues) {
      const consumers = [...queue.consumers].map(([key, consumer]) => [key, { ...consumer }] as const);
      copy.queues.set(id, { ...queue, consumers: new Map(consumers) });
    }
    for (const [uuid, { name, statements }] of this.databases) {
      copy.createDatabase(name);
      for (const { sql, params } of statements) copy.runStatements(uuid, sql, params);
    }
    for (const bucket of this.buckets) copy.buckets.add(bucket);
    return copy;
  }

  /** Told after each change: an account whose Workers run makes them run as they are now. */
  async follow(): Promise<void> {}

  /** @throws Refusal for bindings to what does not exist, classes without a migration, missing modules, limits */
  upload(name: string, sent: UploadMetadata, files: readonly UploadedFile[]): void {
    const main = files.find((file) => file.name === sent.main_module);
    if (main === undefined) throw new ApiRefusal(400, 10021, `no module ${sent.main_module}`);
    checkCompatibility(sent);
    const existing = this.scripts.get(name);
    if (existing === undefined && this.scripts.size >= this.limits.workers) {
      throw new ApiRefusal(400, 10037, `an account has at most ${this.limits.workers} Workers`);
    }
    const exported = exportsOf(main.contents);
    const classes = classesAfter(sent, existing);
    for (const added of classes) {
      if (!exported.has(added)) throw new ApiRefusal(400, 10070, `the class ${added} is not exported`);
    }
    const { migrations, annotations, observability, logpush, tail_consumers, ...version } = sent;
    const kept = sent.keep_bindings.includes('secret_text') ? (existing?.newest.secrets ?? []) : [];
    const uploaded = version.bindings.filter(({ type }) => type === 'secret_text');
    const secrets = new Map([...kept, ...uploaded.map((secret) => [secret.name, String(secret.text)] as const)]);
    const bindings = version.bindings.filter(({ type }) => type !== 'secret_text');
    for (const binding of bindings) this.#checkBinding(name, binding, exported, classes);
    const metadata = { ...version, bindings, ...(annotations !== undefined && { annotations }) };
    checkVariables(metadata, secrets, this.limits);
    const made = { metadata, files, exports: exported, secrets };
    const script = existing ?? new Script(name, made);
    if (existing === undefined) this.scripts.set(name, script);
    else existing.add(made);
    script.classes = classes;
    script.migrationTag = migrations?.new_tag ?? script.migrationTag;
    script.settings = { observability, logpush, tail_consumers };
  }

  #checkBinding(owner: string, binding: Binding, exported: ReadonlySet<string>, classes: ReadonlySet<string>): void {
    const missing = (what: string) =>
      new ApiRefusal(400, 10143, `could not resolve binding "${binding.name}": ${what}`);
    switch (binding.type) {
      case 'plain_text':
      case 'json':
        return;
      case 'ratelimit': {
        // As the documentation has it: a whole number as text, and a period of 10 or 60 seconds.
        const { period } = binding.simple as { period: number };
        if (!/^\d+$/.test(String(binding.namespace_id))) throw missing(`no namespace ${binding.namespace_id}`);
        if (period !== 10 && period !== 60) throw missing(`no period of ${period}`);
        return;
      }
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

  /**
   * Makes a version of its own, and only of the newest: a secret must not bring code along that was rolled back.
   * @param changed null takes one away
   * @param notDeployed many at once are a change of settings (10214), a single one is not (10215): wrangler's
   *   `src/secret/index.ts`, and github.com/cloudflare/workers-sdk/pull/15283
   */
  patchSecrets(
    name: string,
    changed: Readonly<Record<string, { readonly text: string } | null>>,
    notDeployed: 10214 | 10215 = 10214,
  ): void {
    const script = this.script(name);
    if (script.live !== script.newest) {
      throw new ApiRefusal(
        400,
        notDeployed,
        'the latest version of the Worker is not deployed; deploy it, then edit secrets',
      );
    }
    if (Object.keys(changed).length > MAX_SECRETS_AT_ONCE)
      throw new ApiRefusal(400, 10021, 'more than 100 secrets at once');
    const secrets = new Map(script.newest.secrets);
    for (const [secret, value] of Object.entries(changed)) {
      if (script.metadata.bindings.some((binding) => binding.name === secret)) {
        throw new ApiRefusal(400, 10053, `binding name ${secret} is in use`);
      }
      if (value === null) secrets.delete(secret);
      else secrets.set(secret, value.text);
    }
    checkVariables(script.metadata, secrets, this.limits);
    // What such a version is annotated with is not documented: it is the code and the tag of the one before.
    script.add({ ...script.newest, secrets });
  }

  setSettings(name: string, settings: ScriptSettings): void {
    const script = this.script(name);
    script.settings = { ...script.settings, ...settings };
  }

  setCrons(name: string, crons: readonly string[]): void {
    const script = this.script(name);
    const all = [...this.scripts.values()].flatMap((other) => other.crons);
    // Also a change to fewer is refused as long as there are too many (workers-sdk/issues/15194).
    if (Math.max(all.length, all.length - script.crons.length + crons.length) > this.limits.crons) {
      throw new ApiRefusal(400, 10072, `an account has at most ${this.limits.crons} cron triggers`);
    }
    script.crons = crons;
  }

  setDomains(name: string, domains: readonly string[]): void {
    const script = this.script(name);
    for (const domain of domains) {
      const owner = [...this.scripts.values()].find((other) => other !== script && other.domains.includes(domain));
      if (owner !== undefined) throw new ApiRefusal(409, UNPUBLISHED, `${domain} is attached to ${owner.name}`);
      if (this.takenDomains.has(domain)) throw new ApiRefusal(409, 100117, `${domain} has DNS records already`);
    }
    script.domains = domains;
  }

  deleteScript(name: string, force: boolean): void {
    const script = this.script(name);
    if (!force && this.boundTo(name).length > 0)
      throw new ApiRefusal(400, 10142, `${name} is bound to by another Worker`);
    if (!force && this.#consumes(name)) throw new ApiRefusal(400, 10064, `${name} is in use as a consumer for a queue`);
    if (!force && script.classes.size > 0) throw new ApiRefusal(400, 10064, `${name} has Durable Objects`);
    this.scripts.delete(name);
    for (const queue of this.queues.values()) {
      for (const consumer of queue.consumers.values()) {
        if (consumer.script === name) queue.consumers.delete(consumer.id);
      }
    }
  }

  #consumes(name: string): boolean {
    return [...this.queues.values()].some(({ consumers }) =>
      [...consumers.values()].some(({ script }) => script === name),
    );
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
    if (this.queueNamed(name) !== undefined) throw new ApiRefusal(409, UNPUBLISHED, `queue name ${name} is taken`);
    const { message_retention_period: retention } = settings;
    if (Number(retention) > this.limits.retentionSeconds) {
      throw new ApiRefusal(
        400,
        UNPUBLISHED,
        `messages are kept ${this.limits.retentionSeconds} s at most on this plan`,
      );
    }
    const queue = { id: idOf('queue', name), name, settings, consumers: new Map(), backlog: 0 };
    this.queues.set(queue.id, queue);
    return queue;
  }

  attach(queueId: string, consumer: Omit<CloudConsumer, 'id'>): CloudConsumer {
    const queue = this.queue(queueId);
    this.script(consumer.script);
    if (queue.consumers.size > 0) throw new ApiRefusal(400, 11004, `queue ${queue.name} has a consumer`);
    this.#checkDeadLetters(consumer.deadLetterQueue);
    const attached = { ...consumer, id: idOf('consumer', queue.name + consumer.script) };
    queue.consumers.set(attached.id, attached);
    return attached;
  }

  reattach(queueId: string, consumerId: string, changed: Pick<CloudConsumer, 'deadLetterQueue' | 'settings'>): void {
    const consumer = this.queue(queueId).consumers.get(consumerId);
    if (consumer === undefined) throw new ApiRefusal(404, UNPUBLISHED, 'no such consumer');
    this.#checkDeadLetters(changed.deadLetterQueue);
    Object.assign(consumer, changed);
  }

  #checkDeadLetters(name: string | undefined): void {
    if (name !== undefined && this.queueNamed(name) === undefined)
      throw new ApiRefusal(400, UNPUBLISHED, `no queue ${name}`);
  }

  deleteQueue(id: string): void {
    const queue = this.queue(id);
    const users = this.sendersTo(queue.name).map(({ name }) => name);
    if (queue.consumers.size > 0 || users.length > 0) {
      throw new ApiRefusal(400, 11005, `queue ${queue.name} is in use by ${users.join(', ') || 'a consumer'}`);
    }
    this.queues.delete(id);
  }

  createDatabase(name: string): { readonly uuid: string; readonly name: string } {
    const uuid = dashedId(`database ${name}`);
    if (this.databases.has(uuid)) throw new ApiRefusal(400, 7502, `database ${name} exists`);
    this.databases.set(uuid, { name, database: new DatabaseSync(':memory:'), statements: [] });
    return { uuid, name };
  }

  query(uuid: string, sql: string, params: readonly SQLInputValue[]): Rows | Promise<Rows> {
    return this.runStatements(uuid, sql, params);
  }

  /** In memory, at once. Several statements of one text are one transaction. */
  runStatements(uuid: string, sql: string, params: readonly SQLInputValue[]): Rows {
    const found = this.databases.get(uuid);
    if (found === undefined) throw new ApiRefusal(404, 7404, 'no such database');
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
      throw new ApiRefusal(400, 7500, error instanceof Error ? error.message : String(error));
    }
  }

  deleteDatabase(uuid: string): void {
    if (!this.databases.delete(uuid)) throw new ApiRefusal(404, 7404, 'no such database');
  }

  script(name: string): Script {
    const script = this.scripts.get(name);
    if (script === undefined) throw new ApiRefusal(404, 10007, `script ${name} not found`);
    return script;
  }

  queue(id: string): CloudQueue {
    const queue = this.queues.get(id);
    if (queue === undefined) throw new ApiRefusal(404, 11000, 'no such queue');
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

/** @throws Refusal for migrations that do not follow the last one */
function classesAfter({ migrations }: UploadMetadata, existing: Script | undefined): ReadonlySet<string> {
  const classes = new Set(existing?.classes);
  if (migrations === undefined) return classes;
  if (migrations.old_tag !== existing?.migrationTag) {
    throw new ApiRefusal(412, 10079, `the last migration is ${existing?.migrationTag}, not ${migrations.old_tag}`);
  }
  for (const step of migrations.steps) for (const added of asStrings(step.new_sqlite_classes)) classes.add(added);
  return classes;
}

function asStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
