/**
 * The local databases before anything is served from them: migrations applied, each in one transaction
 * with its line in wrangler's own `d1_migrations` table, and the tasks of a run that ended without its
 * queue picked up again, without the places that their calls had (rule R8).
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { ROOT } from '../deploy/plan/plan-files.ts';
import type { WorkerConfig } from '../deploy/plan/wrangler-file.ts';
import { recoverAfterRestart } from '../shared/store/recovery.ts';
import { LaunchError, reasonOf } from '../terminal/launch-error.ts';
import { forgetLeases } from './database-file.ts';
import { withoutSignalHandlers } from './signals.ts';

/** As wrangler creates it, so that `wrangler d1 migrations list --local` agrees. */
const CREATE_LEDGER = `CREATE TABLE IF NOT EXISTS d1_migrations(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/**
 * Runs in a runtime of its own that ends before the real one starts, so no request can meet a
 * database that is not ready.
 * @returns how many open tasks of an earlier run were picked up
 * @throws LaunchError naming the migration that failed
 */
export async function prepareDatabase(owner: WorkerConfig, persistencePath: string, now: number): Promise<number> {
  const configs = owner.d1_databases;
  if (configs.length === 0) throw new LaunchError(`wrangler.toml: ${owner.name} has no database`);
  const runtime = withoutSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          name: 'database',
          compatibilityDate: owner.compatibility_date,
          modules: [{ type: 'ESModule', path: 'database.js', contents: 'export default {};' }],
          d1Databases: Object.fromEntries(configs.map((config) => [config.binding, config.database_name])),
          resourcePersistencePath: persistencePath,
          telemetry: { enabled: false },
          cf: false,
        }),
      ),
  );
  try {
    let recovered = 0;
    for (const config of configs) {
      const database = await runtime.getD1Database(config.binding, 'database');
      await applyMigrations(database, path.join(ROOT, config.migrations_dir));
      recovered += await recoverAfterRestart(database, now);
    }
    forgetLeases(persistencePath);
    return recovered;
  } finally {
    await runtime.dispose();
  }
}

async function applyMigrations(database: D1Database, directory: string): Promise<void> {
  await database.prepare(CREATE_LEDGER).run();
  const { results } = await database.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map(({ name }) => name));
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  for (const name of names.filter((candidate) => !applied.has(candidate))) {
    const sql = await readFile(path.join(directory, name), 'utf8');
    try {
      await database.batch([
        database.prepare(sql),
        database.prepare('INSERT INTO d1_migrations (name) VALUES (?1)').bind(name),
      ]);
    } catch (error) {
      throw new LaunchError(`migration ${name} failed: ${reasonOf(error)}`);
    }
  }
}
