/**
 * The local run over several stores, any of which can be taken away, and what tests and the bench of stores
 * do with it: submit, look into the databases, wait for the end.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backend, startBackend } from '../../examples/backend/server.ts';
import { exampleServices } from '../../examples/services.ts';
import { openDatabaseFiles } from '../../local/database-file.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import { signToken } from '../../shared/auth/token.ts';
import { storeOfTask } from '../../shared/task/id.ts';

const SECRETS = {
  JWT_SECRET: 'jwt-secret-of-the-stores-32-bytes-or-more',
  ID_SECRET: 'id-secret-of-the-stores-32-bytes-or-more',
  CALLBACK_SECRET: 'callback-secret-of-the-stores-32-bytes-or-more',
  WEBHOOK_SECRET: 'webhook-secret-of-the-stores-32-bytes-or-more',
};

const BATCH = 1_000;

export interface Submitted {
  readonly ids: string[];
  /** Answers other than 202, by status. */
  readonly refused: Map<number, number>;
}

export interface Stage extends AsyncDisposable {
  readonly run: LocalRun;
  readonly backend: Backend;
  /** Each read again, because a database comes to be with its first statement. */
  databases(): DatabaseSync[];
  /** Takes these stores away, and brings the others back. */
  away(...stores: number[]): Promise<void>;
  call<Body>(
    method: string,
    target: string,
    body?: unknown,
    sub?: string,
  ): Promise<{ status: number; headers: Headers; body: Body }>;
  submit(tasks: number, task: object): Promise<Submitted>;
  /** Open tasks by store number. */
  open(): Map<number, number>;
  /** Every id with its status, of all stores. */
  ended(): Map<string, string>;
  /** How many have ended, by store number; those of a store without any are left out. */
  countEnded(): Map<number, number>;
  list(query?: string): Promise<string[]>;
}

export interface StageOptions {
  readonly stores: number;
  readonly stateDir?: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly shards?: number;
}

export async function startStage(options: StageOptions): Promise<Stage> {
  const stateDir = options.stateDir ?? mkdtempSync(path.join(tmpdir(), 'tasklane-stores-'));
  const backend = await startBackend();
  const run = await startLocal({
    stateDir,
    stores: options.stores,
    ...(options.shards !== undefined && { shards: options.shards }),
    services: exampleServices(backend.url),
    secrets: SECRETS,
    vars: options.vars ?? {},
    cronIntervalMs: 2_000,
    mains: {
      producer: 'bench/workers/gated/producer.ts',
      callback: 'bench/workers/gated/callback.ts',
      consumer: 'consumer/index.ts',
    },
  });
  const token = await signToken({ sub: 'stores', role: 'client' }, SECRETS.JWT_SECRET, 7200);
  const callback = await run.miniflare.getWorker('tasklane-callback');
  const opened: DatabaseSync[] = openDatabaseFiles(stateDir);

  const call = async <Body>(method: string, target: string, body?: unknown) => {
    const response = await fetch(run.url + target, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
  };
  return {
    run,
    backend,
    databases: () => opened,
    async away(...stores) {
      const names = stores.map((store) => `TASK_DB_${store}`).join(',');
      await fetch(`${run.url}/gate?away=${names}`);
      await callback.fetch(`http://gate/?away=${names}`);
    },
    call,
    async submit(tasks, task) {
      const submitted: Submitted = { ids: [], refused: new Map() };
      for (let at = 0; at < tasks; at += BATCH) {
        const batch = Array.from({ length: Math.min(BATCH, tasks - at) }, () => task);
        const { status, body } = await call<{ results: { id?: string; problem?: { status: number } }[] }>(
          'POST',
          '/api/tasks/batch',
          { tasks: batch },
        );
        const results = status === 202 ? body.results : batch.map(() => ({ problem: { status } }));
        for (const result of results) {
          if ('id' in result && result.id !== undefined) submitted.ids.push(result.id);
          else
            submitted.refused.set(
              result.problem?.status ?? 0,
              (submitted.refused.get(result.problem?.status ?? 0) ?? 0) + 1,
            );
        }
      }
      return submitted;
    },
    open() {
      const ids = opened.flatMap((db) => db.prepare('SELECT id FROM tasks WHERE finished_at IS NULL').all());
      const counts = new Map<number, number>();
      for (const { id } of ids) counts.set(storeOfTask(String(id)), (counts.get(storeOfTask(String(id))) ?? 0) + 1);
      return counts;
    },
    ended() {
      const rows = opened.flatMap((db) =>
        db.prepare('SELECT id, status FROM tasks WHERE finished_at IS NOT NULL').all(),
      );
      return new Map(rows.map(({ id, status }) => [String(id), String(status)]));
    },
    countEnded() {
      const rows = opened.map((db) =>
        db.prepare('SELECT max(id) AS id, count(*) AS tasks FROM tasks WHERE finished_at IS NOT NULL').get(),
      );
      return new Map(
        rows.flatMap((row): [number, number][] =>
          row?.id == null ? [] : [[storeOfTask(String(row.id)), Number(row.tasks)]],
        ),
      );
    },
    async list(query = '') {
      const ids: string[] = [];
      let cursor = '';
      for (;;) {
        const { status, body } = await call<{ tasks: { id: string }[]; nextCursor: string | null }>(
          'GET',
          `/api/tasks?limit=200${query}${cursor}`,
        );
        if (status !== 200) throw new Error(`the list answered ${status}`);
        ids.push(...body.tasks.map(({ id }) => id));
        if (body.nextCursor === null) return ids;
        cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
      }
    },
    async [Symbol.asyncDispose]() {
      for (const db of opened) db.close();
      await run.stop();
      await backend.stop();
      if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** All tasks of the stage, `ids`, have ended. @throws Error with what is left after `timeoutMs` */
export async function untilEnded(stage: Stage, ids: readonly string[], timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    // Counted, and looked at one by one at the end: a hundred thousand rows twice a second would be most of the work.
    const count = [...stage.countEnded().values()].reduce((sum, tasks) => sum + tasks, 0);
    if (count >= ids.length || Date.now() > end) {
      const ended = stage.ended();
      const left = ids.filter((id) => !ended.has(id));
      if (left.length === 0) return;
      if (Date.now() > end) throw new Error(`${left.length} of ${ids.length} tasks have not ended, ${left[0]} for one`);
    }
    await sleep(300);
  }
}
