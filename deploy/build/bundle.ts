/**
 * Builds each Worker of a plan with `wrangler deploy --dry-run`, so that what runs locally is byte for
 * byte what a deploy would send. All consumers share one bundle: they differ in configuration only.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { buildDashboard } from '../../dashboard/build.ts';
import { LaunchError } from '../../terminal/launch-error.ts';
import type { Plan } from '../plan/plan.ts';
import { ROOT, writeConfig } from '../plan/plan-files.ts';
import type { WorkerConfig } from '../plan/wrangler-file.ts';
import { buildStore } from './build-store.ts';

const WRANGLER = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js');

/** Below the root: wrangler takes paths from where its file lies. */
const WORK_DIR = path.join(ROOT, '.wrangler');

/** A folder that need not exist: only the names of modules relative to each other count. */
export const MODULES_ROOT = '/bundle';

/** A module as the runtime takes it; the first of a bundle is the entry. */
export interface BundleModule {
  readonly type: 'ESModule' | 'Text' | 'Data' | 'CompiledWasm';
  readonly path: string;
  readonly contents: string;
}

export interface Bundles {
  readonly producer: readonly BundleModule[];
  readonly callback: readonly BundleModule[];
  readonly consumer: readonly BundleModule[];
}

/** @throws LaunchError with the compiler's first complaint */
export async function buildBundles(plan: Plan): Promise<Bundles> {
  const [shardZero] = plan.consumers;
  if (shardZero === undefined) throw new LaunchError('a plan has at least one shard');
  const [producer, callback, consumer] = await Promise.all([
    buildBundle(plan.producer),
    buildBundle(plan.callback),
    buildBundle(shardZero),
  ]);
  return { producer, callback, consumer };
}

/** @throws LaunchError with the compiler's first complaint */
export async function buildBundle(worker: WorkerConfig): Promise<readonly BundleModule[]> {
  const { main, rules, compatibility_date, compatibility_flags, keep_names } = worker;
  const store = await buildStore('bundles', [main, rules, compatibility_date, compatibility_flags, keep_names]);
  const kept = await store.read();
  if (kept !== undefined) return JSON.parse(kept.toString()) as BundleModule[];
  // Of this build alone: another run, whose plan differs, may build at the same time.
  await mkdir(WORK_DIR, { recursive: true });
  const folder = await mkdtemp(path.join(WORK_DIR, 'build-'));
  const config = path.join(folder, `${worker.name}.json`);
  const outDir = path.join(folder, 'out');
  try {
    writeConfig(worker, config);
    await runWrangler(worker, ['--outdir', outDir, '--config', config]);
    const bundle = await readBundle(worker, outDir);
    await store.write(JSON.stringify(bundle));
    return bundle;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function runWrangler(worker: WorkerConfig, args: readonly string[]): Promise<void> {
  try {
    await buildDashboard();
    await promisify(execFile)(process.execPath, [WRANGLER, 'deploy', '--dry-run', ...args], {
      cwd: ROOT,
      env: {
        ...process.env,
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        FORCE_COLOR: '0',
        NO_COLOR: '1',
        WRANGLER_HIDE_BANNER: 'true',
        WRANGLER_LOG_PATH: path.join(ROOT, '.wrangler', 'logs'),
        WRANGLER_SEND_METRICS: 'false',
      },
    });
  } catch (error) {
    throw new LaunchError(`${worker.main} cannot be built: ${firstComplaint(error)}`);
  }
}

/** In colours whatever one asks for, with the place two lines below. */
function firstComplaint(error: unknown): string {
  const { stderr = '', message = '' } = error as { stderr?: string; message?: string };
  const lines = stripVTControlCharacters(stderr).split('\n');
  const complaints = lines.filter((line) => line.includes('[ERROR]'));
  const complaint = complaints.find((line) => !line.includes('Build failed')) ?? complaints[0] ?? message;
  const place = lines
    .map((line) => /^\s+(?:\.\.\/)*(\S+:\d+:\d+):$/.exec(line)?.[1])
    .find((found) => found !== undefined);
  const text = complaint.replace(/^.*\[ERROR\]\s*/, '').trim();
  return place === undefined ? text : `${text} (${place})`;
}

async function readBundle(worker: WorkerConfig, outDir: string): Promise<BundleModule[]> {
  const entry = `${path.parse(worker.main).name}.js`;
  const names = (await readdir(outDir)).filter((name) => !/\.map$|^README\.md$/.test(name));
  if (!names.includes(entry)) throw new LaunchError(`${worker.main} was built without its entry ${entry}`);
  const others = names.filter((name) => name !== entry);
  return Promise.all(
    [entry, ...others].map(async (name) => ({
      type: name === entry ? 'ESModule' : moduleType(worker, name),
      path: `${MODULES_ROOT}/${name}`,
      contents: await readFile(path.join(outDir, name), 'utf8'),
    })),
  );
}

/** A module that is not bundled came in by one of the configuration's rules. Its name is a hash and the file's name. */
function moduleType(worker: WorkerConfig, name: string): BundleModule['type'] {
  const fileName = name.replace(/^[0-9a-f]{40}-/, '');
  const rule = worker.rules.find(({ globs }) => globs.some((glob) => path.matchesGlob(fileName, glob)));
  return (rule?.type ?? 'ESModule') as BundleModule['type'];
}
