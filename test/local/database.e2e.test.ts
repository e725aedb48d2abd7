/** Migrations of the local run, on a real D1. */
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROOT, readPlan } from '../../deploy/plan/plan-files.ts';
import type { WorkerConfig } from '../../deploy/plan/wrangler-file.ts';
import { prepareDatabase } from '../../local/database.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tasklane-database-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const owner = readPlan({ shards: 1 }).callback;

function withMigrations(directory: string): WorkerConfig {
  const migrations_dir = path.relative(ROOT, directory);
  return { ...owner, d1_databases: owner.d1_databases.map((database) => ({ ...database, migrations_dir })) };
}

async function query(sql: string): Promise<unknown[]> {
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      name: 'reader',
      modules: [{ type: 'ESModule', path: 'reader.js', contents: 'export default {};' }],
      d1Databases: { TASK_DB_0: 'tasklane' },
      resourcePersistencePath: path.join(dir, 'v3'),
    }),
  );
  try {
    return (await (await runtime.getD1Database('TASK_DB_0')).prepare(sql).all()).results;
  } finally {
    await runtime.dispose();
  }
}

it('applies each migration once, whatever the number of starts, and writes it down as wrangler does', async () => {
  for (let start = 0; start < 2; start++) await prepareDatabase(owner, path.join(dir, 'v3'), Date.now());
  const migrations = readdirSync(path.join(ROOT, 'migrations')).filter((name) => name.endsWith('.sql'));
  expect(migrations.length).toBeGreaterThan(1);
  expect(await query('SELECT name FROM d1_migrations ORDER BY name')).toEqual(
    migrations.sort().map((name) => ({ name })),
  );
  expect(await query('SELECT count(*) AS tasks FROM tasks')).toEqual([{ tasks: 0 }]);
});

it('names the migration that fails, leaves nothing of it, and goes on from there once it is mended', async () => {
  const migrations = path.join(dir, 'migrations');
  await mkdir(migrations);
  const copy = (name: string, sql: string) => writeFile(path.join(migrations, name), sql);
  await copy('0001_first.sql', '-- A comment; with a semicolon.\nCREATE TABLE first (a);\nCREATE TABLE second (b);\n');
  await copy('0002_broken.sql', 'CREATE TABLE third (c);\nCREATE TABLE first (d);\n');
  const prepare = () => prepareDatabase(withMigrations(migrations), path.join(dir, 'v3'), Date.now());
  await expect(prepare()).rejects.toThrow(/^migration 0002_broken\.sql failed: .*table first already exists/);
  expect(
    await query("SELECT name FROM sqlite_schema WHERE name IN ('first', 'second', 'third') ORDER BY name"),
  ).toEqual([{ name: 'first' }, { name: 'second' }]);
  await copy(
    '0002_broken.sql',
    'CREATE TABLE tasks (status, sends, due_at, next_at, deadline_at, lease_until, finished_at);\n',
  );
  expect(await prepare()).toBe(0);
});
