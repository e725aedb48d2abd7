/**
 * Starts bare Workers: Miniflare without a proxy in front, D1 on disk, a queue and a consumer Worker
 * per shard, batches of up to 100 without a wait.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from 'miniflare';
import { NETWORK } from '../../local/network.ts';
import { guardRuntimes, latestRuntimePid } from '../../local/orphan-guard.ts';
import { bundleWorker } from './bundle.ts';
import { Records } from './records.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { backendServices, SHARDS, type System } from './system.ts';

const COMPATIBILITY_DATE = '2026-10-20';

export interface BareOptions {
  /** Whether accept also inserts the row. */
  readonly record: boolean;
  /** Whether calls leave as Tasklane's do, without Miniflare's own Worker in between. */
  readonly direct?: boolean;
  /** Whether each task is written, asked about and called with as many headers as in Tasklane; its calls leave directly. */
  readonly alike?: boolean;
}

export async function startBare(
  { record, alike = false, direct = alike }: BareOptions,
  backendPort: number,
): Promise<System> {
  const stateDir = mkdtempSync(join(tmpdir(), 'tasklane-bench-bare-'));
  const workers = await bareWorkers({ record, direct, alike }, backendPort);
  guardRuntimes();
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      workers,
      resourcePersistencePath: stateDir,
      log: new NoOpLog(),
      telemetry: { enabled: false },
      unsafeLocalExplorer: false,
      unsafeObservability: false,
      cf: false,
    }),
  );
  await runtime.ready;
  const process = new RuntimeProcess(latestRuntimePid());
  const database = await runtime.getD1Database('DB', 'bare-producer');
  await database.prepare(readFileSync(workerPath('schema.sql'), 'utf8')).run();
  const url = await runtime.unsafeGetDirectURL('bare-producer');
  const records = new Records(stateDir);
  return {
    name: `bare, ${record ? 'insert and send' : 'send only'}${direct ? ', direct way out' : ''}${alike ? ', same headers and writes' : ''}`,
    durability: record
      ? 'row in D1 (fsync) before 202; queue in memory'
      : 'queue in memory until finished, then D1 (fsync)',
    address: { host: url.hostname, port: Number(url.port) },
    backend: { host: '127.0.0.1', port: backendPort },
    headers: {},
    runtime: process,
    records,
    async stop() {
      records.close();
      await runtime.dispose();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

async function bareWorkers({ record, direct, alike }: Required<BareOptions>, backendPort: number) {
  const [producer, consumer, ledger] = await Promise.all([
    bundleWorker(workerPath('producer.ts')),
    bundleWorker(workerPath(alike ? 'recording-consumer.ts' : 'consumer.ts')),
    bundleWorker(workerPath('ledger.ts')),
  ]);
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
  const backends = Object.fromEntries(
    Object.entries(backendServices(backendPort)).map(([name, { baseUrl, path }]) => [name, baseUrl + path]),
  );
  return [
    {
      name: 'bare-producer',
      modules: true,
      script: producer,
      compatibilityDate: COMPATIBILITY_DATE,
      stripCfConnectingIp: false,
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      bindings: { RECORD: record ? 'yes' : 'no' },
      d1Databases: { DB: 'bare' },
      queueProducers: Object.fromEntries(shards.map((shard) => [`TASK_QUEUE_${shard}`, `bare-tasks-${shard}`])),
    },
    ...shards.map((shard) => ({
      name: `bare-consumer-${shard}`,
      modules: true,
      script: consumer,
      compatibilityDate: COMPATIBILITY_DATE,
      stripCfConnectingIp: false,
      bindings: { BACKENDS: backends },
      serviceBindings: {
        ...(direct && { OUTBOUND: NETWORK }),
        ...(alike && { LEDGER: { name: 'bare-ledger', entrypoint: 'Ledger' } }),
      },
      d1Databases: { DB: 'bare' },
      queueConsumers: { [`bare-tasks-${shard}`]: { maxBatchSize: 100, maxBatchTimeout: 0, maxRetries: 100 } },
    })),
    ...(alike
      ? [
          {
            name: 'bare-ledger',
            modules: true,
            script: ledger,
            compatibilityDate: COMPATIBILITY_DATE,
            d1Databases: { DB: 'bare' },
          },
        ]
      : []),
  ];
}

function workerPath(file: string): string {
  return fileURLToPath(new URL(`../workers/bare/${file}`, import.meta.url));
}
