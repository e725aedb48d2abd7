/** The shell around the plan: reads wrangler.toml, writes a file per Worker for wrangler to read. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type { Migration } from '../account/database.ts';
import { configBelowRoot, type Plan, PlanError, type PlanOptions, planWorkers, workersOf } from './plan.ts';
import type { WorkerConfig } from './wrangler-file.ts';

/** The repository's root, whatever the current directory. */
export const ROOT = path.resolve(import.meta.dirname, '..', '..');

/** @throws PlanError when wrangler.toml cannot be parsed or planned */
export function readPlan(options: PlanOptions): Plan {
  const file = path.join(ROOT, 'wrangler.toml');
  try {
    return planWorkers(parse(readFileSync(file, 'utf8')), options);
  } catch (error) {
    if (error instanceof TomlError) throw new PlanError(`wrangler.toml:${error.line}: ${error.message.split('\n')[0]}`);
    throw error;
  }
}

/** The migrations of each database, in the order of their names. */
export function readMigrationFiles(plan: Plan): ReadonlyMap<string, readonly Migration[]> {
  const folders = new Map(
    workersOf(plan).flatMap(({ d1_databases }) =>
      d1_databases.map(
        ({ database_name, migrations_dir }) => [database_name, path.join(ROOT, migrations_dir)] as const,
      ),
    ),
  );
  return new Map(
    Array.from(folders, ([database, folder]) => [
      database,
      globSync('*.sql', { cwd: folder })
        .sort()
        .map((name) => ({ name, sql: readFileSync(path.join(folder, name), 'utf8') })),
    ]),
  );
}

/** @param dir below the root, there already. @returns the file of each Worker by name */
export function writePlan(plan: Plan, dir: string): ReadonlyMap<string, string> {
  const files = new Map(workersOf(plan).map((worker) => [worker.name, path.join(dir, `${worker.name}.json`)]));
  for (const worker of workersOf(plan)) writeConfig(worker, path.join(dir, `${worker.name}.json`));
  return files;
}

/** @param file below the root */
export function writeConfig(worker: WorkerConfig, file: string): void {
  const depth = path.relative(ROOT, path.dirname(file)).split(path.sep).length;
  writeFileSync(file, `${JSON.stringify(configBelowRoot(worker, depth), undefined, 2)}\n`);
}
