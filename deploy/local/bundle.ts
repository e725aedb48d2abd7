/**
 * Builds each Worker of a plan with `wrangler deploy --dry-run`, so that what runs locally is byte for
 * byte what a deploy would send. All consumers share one bundle: they differ in configuration only.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Plan } from '../plan.ts';
import { ROOT, writePlan } from '../plan-files.ts';
import type { WorkerConfig } from '../wrangler-file.ts';
import { bundleStore } from './bundle-store.ts';
import { LaunchError } from './launch-error.ts';

const WRANGLER = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js');

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
  const files = writePlan(plan);
  const build = (worker: WorkerConfig) => buildBundle(worker, files);
  const [producer, callback, consumer] = await Promise.all([
    build(plan.producer),
    build(plan.callback),
    build(shardZero),
  ]);
  return { producer, callback, consumer };
}

/** @param files the plan's files by Worker name */
export async function buildBundle(
  worker: WorkerConfig,
  files: ReadonlyMap<string, string>,
): Promise<readonly BundleModule[]> {
  const store = bundleStore(worker);
  const kept = await store.read();
  if (kept !== undefined) return kept;
  const outDir = await mkdtemp(path.join(tmpdir(), 'tasklane-'));
  try {
    await runWrangler(worker, ['--outdir', outDir, '--config', files.get(worker.name) ?? '']);
    const bundle = await readBundle(worker, outDir);
    await store.write(bundle);
    return bundle;
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

export async function runWrangler(worker: WorkerConfig, args: readonly string[]): Promise<void> {
  try {
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

function firstComplaint(error: unknown): string {
  const { stderr = '', message = '' } = error as { stderr?: string; message?: string };
  const complaints = stderr.split('\n').filter((line) => line.includes('[ERROR]'));
  const complaint = complaints.find((line) => !line.includes('Build failed')) ?? complaints[0] ?? message;
  return complaint.replace(/^.*\[ERROR\]\s*/, '').trim();
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
