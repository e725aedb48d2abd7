/** The shell around the plan: reads wrangler.toml, writes `.wrangler/plan/<worker>.json`. */
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { configBelowRoot, type Plan, PlanError, type PlanOptions, planWorkers, workersOf } from './plan.ts';

/** The repository's root, whatever the current directory. */
export const ROOT = path.resolve(import.meta.dirname, '..');

const PLAN_DIR = path.join(ROOT, '.wrangler', 'plan');
const PLAN_DEPTH = path.relative(ROOT, PLAN_DIR).split(path.sep).length;

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

/** Writes the plan and removes what an earlier, larger one left. @returns the file of each Worker by name */
export function writePlan(plan: Plan): ReadonlyMap<string, string> {
  mkdirSync(PLAN_DIR, { recursive: true });
  const files = new Map(workersOf(plan).map((worker) => [worker.name, path.join(PLAN_DIR, `${worker.name}.json`)]));
  for (const worker of workersOf(plan)) {
    const file = path.join(PLAN_DIR, `${worker.name}.json`);
    // Renamed into place: another run of the same plan never reads half a file.
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(configBelowRoot(worker, PLAN_DEPTH), undefined, 2)}\n`);
    renameSync(draft, file);
  }
  const written = new Set(files.values());
  for (const file of globSync(path.join(PLAN_DIR, '*.json'))) if (!written.has(file)) rmSync(file, { force: true });
  return files;
}
