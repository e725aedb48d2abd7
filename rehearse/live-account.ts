/**
 * An account whose Workers run while they are deployed: the stub's account in front of the local runtime. Its databases
 * are real local D1, migrated by the statements that a deploy sends while tasks are claimed and settled in them. After
 * each call that changes what runs, the runtime goes on with what the account then holds, half deployed or not.
 * That is harsher than the platform: the local queue lives in memory, so each time what lay in it is lost, and has to
 * come back from the databases as after a crash (rule R8).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from 'miniflare';
import { type Cron, runScheduled, startCron } from '../local/cron.ts';
import { guardRuntimes } from '../local/orphan-guard.ts';
import { withoutSignalHandlers } from '../local/signals.ts';
import { RECOVER_AFTER_RESTART } from '../shared/store/recovery.ts';
import { FakeCloudflare } from './fake-cloudflare.ts';
import { localWorker } from './local-worker.ts';
import { ApiRefusal } from './refusal.ts';
import { dashedId } from './script.ts';

type Rows = Record<string, unknown>[];

/** Asks the databases, whichever Workers there are. */
const HOLDER = 'account';
const HOLDER_SOURCE = `export default {
  async fetch(request, env) {
    const { database, sql, params } = await request.json();
    try {
      const statement = env[database].prepare(sql).bind(...params);
      // A text of several statements is run to its end, in one transaction.
      const answer = params.length > 0 ? await statement.all() : (await env[database].batch([statement])).at(-1);
      return Response.json({ results: answer.results ?? [] });
    } catch (error) {
      return Response.json({ error: error.message });
    }
  },
};`;

/** The line that a migration writes of itself. */
const MIGRATION = /INSERT INTO d1_migrations \(name\) VALUES \('([^']+)'\)/;

/** Quicker than the platform's minute: nobody wants to wait for it. */
const CRON_MS = 1_000;

export interface LiveOptions {
  readonly deployment: string;
  /** In place of what is deployed. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** Every database that is ever created: the runtime has them from its start. */
  readonly databases: readonly string[];
}

export class LiveAccount extends FakeCloudflare implements AsyncDisposable {
  /** Migrations that a deploy sent, and how long the database took. */
  readonly migrated: { readonly name: string; readonly ms: number }[] = [];

  readonly #options: LiveOptions;
  readonly #stateDir = mkdtempSync(path.join(tmpdir(), 'tasklane-live-'));
  readonly #cron: Cron;
  #runtime: Miniflare | undefined;
  /** What runs, to tell whether a change has changed it. */
  #running = '';
  /** Resolved while the runtime answers. */
  #ready: Promise<void> = Promise.resolve();
  /** Until it is set, Workers are uploaded and do not run. */
  #isServing = false;

  constructor(options: LiveOptions) {
    super();
    this.#options = options;
    guardRuntimes();
    // A runtime that is exchanged meanwhile fails the round: the next one comes.
    this.#cron = startCron(
      CRON_MS,
      () => this.#runCrons(),
      () => {},
    );
  }

  /** From now on the Workers run. */
  async serve(): Promise<void> {
    this.#isServing = true;
    await this.follow();
  }

  /** To the producer, of whatever version. @throws while the runtime is exchanged */
  async fetch(target: string, init?: RequestInit): Promise<Response> {
    await this.#ready;
    if (this.#runtime === undefined) throw new Error('nothing runs');
    const worker = await this.#runtime.getWorker(`${this.#options.deployment}-producer`);
    return (await worker.fetch(`http://tasklane${target}`, init as object)) as unknown as Response;
  }

  override async follow(): Promise<void> {
    if (!this.#isServing && this.#runtime !== undefined) return;
    const running = this.#isServing ? this.#whatRuns() : 'the databases';
    if (running === this.#running) return;
    this.#running = running;
    this.#ready = this.#exchange();
    await this.#ready;
  }

  /** Rows as the databases have them; the account in memory gets the same changes, for what is looked at there. */
  override async query(uuid: string, sql: string, params: readonly SQLInputValue[]): Promise<Rows> {
    if (!this.databases.has(uuid)) throw new ApiRefusal(404, 7404, 'no such database');
    if (!/^\s*SELECT/i.test(sql)) this.runStatements(uuid, sql, params);
    if (this.#runtime === undefined) await this.follow();
    const startedAt = performance.now();
    const rows = await this.ask(uuid, sql, params);
    const [, migration] = MIGRATION.exec(sql) ?? [];
    if (migration !== undefined) this.migrated.push({ name: migration, ms: performance.now() - startedAt });
    return rows;
  }

  /** The database alone. */
  async ask(uuid: string, sql: string, params: readonly SQLInputValue[] = []): Promise<Rows> {
    await this.#ready;
    if (this.#runtime === undefined) throw new Error('nothing runs');
    const holder = await this.#runtime.getWorker(HOLDER);
    const body = JSON.stringify({ database: uuid, sql, params });
    const response = await holder.fetch('http://account/', { method: 'POST', body });
    const { results, error } = (await response.json()) as { results?: Rows; error?: string };
    if (error !== undefined) throw new ApiRefusal(400, 7500, error);
    return results ?? [];
  }

  /** Id and name of each database, the first store first. */
  stores(): { readonly uuid: string; readonly name: string }[] {
    return [...this.databases].map(([uuid, { name }]) => ({ uuid, name })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#cron.stop();
    await this.#ready.catch(() => {});
    await this.#runtime?.dispose();
    await stopped;
    rmSync(this.#stateDir, { recursive: true, force: true });
  }

  #whatRuns(): string {
    // By what versions are made of: one that differs in its number alone runs as the one before.
    const scripts = [...this.scripts.values()].map(({ name, metadata, secrets }) => [name, metadata, [...secrets]]);
    const queues = [...this.queues.values()].map(({ name, consumers }) => [name, ...consumers.values()]);
    return JSON.stringify([scripts, queues]);
  }

  async #exchange(): Promise<void> {
    await this.#runtime?.dispose();
    const { deployment, vars, databases } = this.#options;
    const scripts = this.#isServing
      ? [...this.scripts.values()].filter(({ name }) => name.startsWith(`${deployment}-`))
      : [];
    const bindings = databases.map((name) => [dashedId(`database ${name}`), dashedId(`database ${name}`)] as const);
    const runtime = withoutSignalHandlers(
      () =>
        new Miniflare(
          convertV4MiniflareOptions({
            workers: [
              {
                name: HOLDER,
                compatibilityDate: '2026-10-20',
                modules: [{ type: 'ESModule', path: 'account.js', contents: HOLDER_SOURCE }],
                d1Databases: Object.fromEntries(bindings),
              },
              ...scripts.map((script) => localWorker(this, script, vars)),
            ],
            resourcePersistencePath: this.#stateDir,
            unsafeTriggerHandlers: true,
            handleStructuredLogs: () => {},
            log: new NoOpLog(),
            telemetry: { enabled: false },
            cf: false,
          }),
        ),
    );
    await runtime.ready;
    this.#runtime = runtime;
    if (this.#isServing) await this.#recover(runtime);
  }

  /** What lay in the local queue is gone with the runtime before. */
  async #recover(runtime: Miniflare): Promise<void> {
    const holder = await runtime.getWorker(HOLDER);
    for (const { uuid } of this.stores()) {
      const body = JSON.stringify({ database: uuid, sql: RECOVER_AFTER_RESTART, params: [Date.now()] });
      await (await holder.fetch('http://account/', { method: 'POST', body })).text();
    }
  }

  async #runCrons(): Promise<void> {
    const runtime = this.#runtime;
    if (runtime === undefined || !this.#isServing) return;
    const names = [...this.scripts.values()].filter(({ crons }) => crons.length > 0).map(({ name }) => name);
    await Promise.all(names.map((name) => runScheduled(runtime, name)));
  }
}
