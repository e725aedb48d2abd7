/** What statistics, metrics and advice say, beside the rows of the very tasks, over two stores. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../examples/backend/server.ts';
import { exampleServices } from '../../examples/services.ts';
import { openDatabaseFiles } from '../../local/database-file.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import type { TaskCounts } from '../../producer/schema/statistics.ts';
import { signToken } from '../../shared/auth/token.ts';
import type { AttemptRecord } from '../../shared/task/attempt.ts';
import { storeOfTask, taskCreatedAt } from '../../shared/task/id.ts';
import { Client, SECRETS } from './pipeline.ts';

interface Row {
  readonly id: string;
  readonly service: string;
  readonly status: string;
  readonly started_at: number;
  readonly finished_at: number;
  readonly deferrals: number;
  readonly run: number;
  readonly history: string;
}

interface Stats {
  readonly total: TaskCounts;
  readonly services: readonly (TaskCounts & { readonly service: string })[];
  readonly backlog: { readonly lines: readonly unknown[]; readonly services: readonly unknown[] };
  readonly advice: readonly unknown[];
}

const HELD = 20;

const TASKS = [
  ...Array.from({ length: 120 }, () => ({ service: 'quick' })),
  ...Array.from({ length: 60 }, (_, at) => ({ service: 'slow', path: `/slow?ms=${20 + at * 20}` })),
  ...Array.from({ length: 15 }, () => ({ service: 'failing' })),
  ...Array.from({ length: HELD }, () => ({ service: 'held' })),
  ...Array.from({ length: 5 }, () => ({ service: 'leaving' })),
];

let stateDir: string;
let backend: Backend;
let run: LocalRun;
let admin: Client;
let databases: DatabaseSync[];

// For each try, since counts of a try before would be counted too.
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-statistics-'));
  backend = await startBackend();
  run = await startLocal({
    stateDir,
    stores: 2,
    shards: 2,
    secrets: SECRETS,
    cronIntervalMs: 2_000,
    services: {
      ...exampleServices(backend.url),
      failing: {
        baseUrl: backend.url,
        path: '/random?failRate=1',
        retry: { maxAttempts: 2, baseSeconds: 1, capSeconds: 1 },
      },
      held: { baseUrl: backend.url, path: '/quick' },
    },
  });
  admin = await Client.as(run.url, 'root', 'admin');
  databases = openDatabaseFiles(stateDir);
});

afterEach(async () => {
  for (const database of databases ?? []) database.close();
  await run?.stop();
  await backend?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

const rowsOf = (service?: string): Row[] =>
  databases
    .flatMap((database) => database.prepare('SELECT * FROM tasks WHERE finished_at IS NOT NULL').all())
    .map((row) => row as unknown as Row)
    .filter((row) => service === undefined || row.service === service);

const statsNow = async (): Promise<Stats> => (await admin.call<Stats>('GET', '/api/stats/tasks?hours=2')).body;

const attemptsOf = ({ history }: Row): AttemptRecord[] => JSON.parse(history) as AttemptRecord[];

function isNear(read: number | undefined, durations: readonly number[], share: number): boolean {
  const exact = durations.toSorted((a, b) => a - b)[Math.ceil(share * durations.length) - 1] ?? Number.NaN;
  return read !== undefined && read <= 2 * exact + 8 && read >= exact / 2 - 8;
}

/** A request's tasks go to one store, and so do all requests of a quarter of a second: while one has all, the next waits. */
async function submitToBothStores(): Promise<void> {
  const stores = new Set<number>();
  for (let at = 0; at < TASKS.length; at += 5) {
    const ids = await admin.submitMany(TASKS.slice(at, at + 5));
    for (const id of ids) stores.add(storeOfTask(id));
    if (stores.size === 1) await setTimeout(250);
  }
  expect(stores.size).toBe(2);
}

it('the statistics of all services agree with their tasks, wherever their rows are, also of one that is gone', async () => {
  await admin.call('PUT', '/api/services/leaving', { baseUrl: backend.url, path: '/quick' });
  // Before any consumer has read the definitions, so that all of them know it.
  await admin.call('POST', '/api/services/held/pause', {});
  await submitToBothStores();
  await expect.poll(() => rowsOf().length).toBe(TASKS.length - HELD);
  await expect
    .poll(async () => (await statsNow()).backlog.services)
    .toMatchObject([{ service: 'held', tasks: HELD, reasons: { paused: HELD } }]);
  await admin.call('POST', '/api/services/held/resume', {});
  await expect.poll(() => rowsOf().length).toBe(TASKS.length);
  expect((await admin.call('DELETE', '/api/services/leaving')).status).toBeLessThan(300);
  // Counts are written within ten seconds.
  const endedOf = ({ total }: Stats) => total.succeeded + total.failed;
  await expect.poll(async () => endedOf(await statsNow())).toBe(TASKS.length);

  const stats = await statsNow();
  expect(new Set(stats.services.map(({ service }) => service))).toEqual(new Set(TASKS.map(({ service }) => service)));
  for (const { service, ...counts } of stats.services) {
    const rows = rowsOf(service);
    const records = rows.flatMap(attemptsOf);
    const called = records.filter(({ outcome }) => outcome === 'succeeded' || outcome === 'failed');
    const deferred = records.filter(({ outcome }) => outcome === 'deferred');
    const ofStatus = (status: string) => rows.filter((row) => row.status === status).length;
    expect([service, counts]).toMatchObject([
      service,
      {
        started: rows.length,
        succeeded: ofStatus('succeeded'),
        failed: ofStatus('failed'),
        attempts: called.length,
        failedAttempts: called.filter(({ outcome }) => outcome === 'failed').length,
        successRate: service === 'failing' ? 0 : 1,
      },
    ]);
    expect(Object.values(counts.deferrals).reduce((sum, count) => sum + count, 0)).toBe(deferred.length);
    const durations = [
      [counts.latency.acceptToStartMs, rows.map((row) => row.started_at - taskCreatedAt(row.id))],
      [counts.latency.callMs, called.map(({ startedAt, endedAt }) => endedAt - startedAt)],
      [counts.latency.acceptToEndMs, rows.map((row) => row.finished_at - taskCreatedAt(row.id))],
    ] as const;
    for (const [read, exact] of durations) {
      for (const [name, share] of [
        ['p50', 0.5],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        expect([service, name, read, isNear(read?.[name], exact, share)]).toEqual([service, name, read, true]);
      }
    }
  }
  expect(stats.backlog).toMatchObject({ lines: [], services: [] });
  expect(stats.advice).toEqual([]);
  await expectTheSameSumsOf(stats);
});

/** Hours, metrics and waits by reason come to the sums of the whole. */
async function expectTheSameSumsOf({ total }: Stats): Promise<void> {
  const { body } = await admin.call<{ hours: TaskCounts[] }>('GET', '/api/stats/hourly?hours=2');
  for (const counter of ['started', 'succeeded', 'failed', 'attempts', 'failedAttempts'] as const) {
    expect([counter, body.hours.reduce((sum, counts) => sum + counts[counter], 0)]).toEqual([counter, total[counter]]);
  }
  const { body: bySubject } = await admin.call<{ hours: (TaskCounts & { name: string })[] }>(
    'GET',
    '/api/stats/hourly?by=subject&hours=2',
  );
  expect(bySubject.hours.every(({ name }) => name === 'root')).toBe(true);
  expect(bySubject.hours.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(total.succeeded);

  const token = await signToken({ sub: 'eve', role: 'viewer' }, SECRETS.JWT_SECRET, 3600);
  const scrape = await fetch(`${run.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  const lines = (await scrape.text()).split('\n');
  const ended = lines.flatMap(
    (line) => /^tasklane_tasks_ended_total\{.*\} (\d+)$/.exec(line)?.slice(1).map(Number) ?? [],
  );
  expect(ended.reduce((sum, count) => sum + count, 0)).toBe(TASKS.length);
  // Sums are of the very numbers, and not of the buckets that they fell into.
  const sumOf = (metric: string, service: string) =>
    Number(
      lines
        .find((line) => line.startsWith(`${metric}_sum{service="${service}"}`))
        ?.split(' ')
        .at(-1),
    );
  for (const service of ['quick', 'slow', 'failing']) {
    const rows = rowsOf(service);
    const endMs = rows.reduce((sum, row) => sum + row.finished_at - taskCreatedAt(row.id), 0);
    expect([service, sumOf('tasklane_task_end_seconds', service)]).toEqual([service, endMs / 1000]);
    const calls = rows.flatMap(attemptsOf).filter(({ outcome }) => outcome === 'succeeded' || outcome === 'failed');
    const callMs = calls.reduce((sum, { startedAt, endedAt }) => sum + endedAt - startedAt, 0);
    expect([service, sumOf('tasklane_call_seconds', service)]).toEqual([service, callMs / 1000]);
  }
  const held = rowsOf('held')
    .flatMap(attemptsOf)
    .filter(({ outcome }) => outcome === 'deferred');
  expect(held.length).toBeGreaterThanOrEqual(HELD);
  // Every wait is over: each was counted once, for its reason.
  const waits = lines.flatMap((line) => {
    const [, reason, count] = /^tasklane_wait_seconds_count\{service="held",reason="(.*)"\} (\d+)$/.exec(line) ?? [];
    return reason === undefined ? [] : [[reason, Number(count)] as const];
  });
  const reasons = Map.groupBy(held, ({ reason }) => reason);
  expect(Object.fromEntries(waits)).toEqual(
    Object.fromEntries([...reasons].map(([reason, records]) => [reason, records.length])),
  );
}
