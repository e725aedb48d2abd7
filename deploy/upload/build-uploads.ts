/**
 * Builds what is uploaded, with wrangler and without the network: `wrangler deploy --dry-run --outfile`
 * writes the very form that it would send. The modules are taken from it as they are; its metadata is
 * compared with what `metadata.ts` writes for the same Worker.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { buildStore } from '../build/build-store.ts';
import { runWrangler } from '../build/bundle.ts';
import { DeployError } from '../deploy-error.ts';
import type { WorkerKind } from '../desired.ts';
import type { Plan } from '../plan/plan.ts';
import { ROOT, writePlan } from '../plan/plan-files.ts';
import type { WorkerConfig } from '../plan/wrangler-file.ts';
import { scriptSettings, type UploadMetadata, type VersionMetadata, versionMetadata } from './metadata.ts';

/** The modules of one kind of Worker, the entry by name. */
export interface Upload {
  readonly mainModule: string;
  readonly files: readonly { readonly name: string; readonly file: File }[];
  /** Of all modules. */
  readonly hash: string;
}

export interface Uploads {
  readonly producer: Upload;
  readonly callback: Upload;
  readonly consumer: Upload;
}

/** In a form that goes nowhere databases have no id yet. */
const NO_DATABASES: ReadonlyMap<string, string> = new Map();

/** @throws LaunchError when something cannot be built, DeployError when wrangler would upload it differently */
export async function buildUploads(plan: Plan, name: string): Promise<Uploads> {
  const [shardZero] = plan.consumers;
  if (shardZero === undefined) throw new DeployError('a plan has at least one shard');
  const parent = path.join(ROOT, '.wrangler', 'deploy');
  await mkdir(parent, { recursive: true });
  // Of this run alone: another one of the same name, whose plan differs, may build at the same time.
  const folder = await mkdtemp(path.join(parent, `${name}-`));
  try {
    const files = writePlan(plan, folder);
    // Two at a time is what a small machine has processors for; they are quick.
    const buildOne = (worker: WorkerConfig) => build(worker, files.get(worker.name));
    const [callback, consumer] = await Promise.all([buildOne(plan.callback), buildOne(shardZero)]);
    return { callback, consumer, producer: await buildOne(plan.producer) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The modules that a kind of Worker is made of. */
export function uploadOf(uploads: Uploads, kind: WorkerKind): Upload {
  switch (kind) {
    case 'producer':
      return uploads.producer;
    case 'callback':
      return uploads.callback;
    case 'consumer':
    case 'draining':
      return uploads.consumer;
  }
}

/** Names what would be uploaded: the same modules with the same bindings have the same release. */
export function releaseOf(upload: Upload, metadata: VersionMetadata): string {
  return createHash('sha256').update(upload.hash).update(JSON.stringify(metadata)).digest('hex').slice(0, 16);
}

async function build(worker: WorkerConfig, configFile = ''): Promise<Upload> {
  const store = await buildStore('uploads', worker);
  let form = await store.read();
  if (form === undefined) {
    form = await buildForm(worker, configFile);
    await store.write(form);
  }
  const { metadata, upload } = await readForm(form);
  checkAgainst(worker, metadata, {
    ...versionMetadata(worker, upload.mainModule, NO_DATABASES),
    ...scriptSettings(worker),
  });
  return upload;
}

async function buildForm(worker: WorkerConfig, configFile: string): Promise<Buffer<ArrayBuffer>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tasklane-'));
  try {
    const outFile = path.join(folder, 'worker.form');
    await runWrangler(worker, [`--outfile=${outFile}`, '--config', configFile]);
    return await readFile(outFile);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readForm(body: Buffer<ArrayBuffer>): Promise<{ metadata: UploadMetadata; upload: Upload }> {
  const boundary = body.subarray(2, body.indexOf('\r\n')).toString();
  const form = await new Response(body, {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  }).formData();
  const metadata = JSON.parse(String(form.get('metadata'))) as UploadMetadata;
  const hash = createHash('sha256');
  const files: { name: string; file: File }[] = [];
  for (const [name, file] of form) {
    if (typeof file === 'string') continue;
    files.push({ name, file });
    // A source map names folders of the machine that built it.
    if (!name.endsWith('.map')) hash.update(name).update(new Uint8Array(await file.arrayBuffer()));
  }
  return { metadata, upload: { mainModule: metadata.main_module, files, hash: hash.digest('hex') } };
}

/** wrangler's metadata says the same as ours, the order of the bindings and what is inherited apart. */
function checkAgainst(worker: WorkerConfig, wranglers: UploadMetadata, ours: UploadMetadata): void {
  const inherited = new Set(wranglers.bindings.filter(({ type }) => type === 'inherit').map(({ name }) => name));
  const parts = ({ bindings, ...rest }: UploadMetadata) =>
    new Map<string, unknown>([
      ...Object.entries(rest),
      ...bindings.filter(({ name }) => !inherited.has(name)).map((binding) => [binding.name, binding] as const),
    ]);
  const theirs = parts(wranglers);
  const own = parts(JSON.parse(JSON.stringify(ours)) as UploadMetadata);
  const names = new Set([...theirs.keys(), ...own.keys()]);
  const differing = [...names].filter((name) => !isDeepStrictEqual(theirs.get(name), own.get(name)));
  if (differing.length > 0) {
    throw new DeployError(
      `${worker.name}: wrangler and deploy/upload/metadata.ts disagree about ${differing.join(', ')}; a deploy would lose it`,
    );
  }
}
