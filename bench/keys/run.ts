/** One run of the key benchmark: the local pipeline, the example provider, and what both saw. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { nameOfKey } from '../../examples/provider/account.ts';
import { type HeaderStyle, type Provider, startProvider } from '../../examples/provider/server.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { startLocal } from '../../local/runtime.ts';
import { SECRETS, SERVICE, submitTasks, untilEnded } from './local-tasks.ts';
import { startRandomKeys } from './random-keys.ts';

export interface KeyRunSettings {
  readonly tasks: number;
  readonly keys: number;
  readonly revoked: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly headers: HeaderStyle;
}

export interface KeyRunReport {
  readonly tookMs: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly calls: number;
  readonly limited: number;
  readonly refused: number;
  readonly deferrals: number;
  /** Tasks done by each working key. */
  readonly byKey: readonly number[];
  /** Between the most and the least used working key, of their mean. */
  readonly spread: number;
}

/** Revoked keys stand among the others, on different shards. */
function keysOf({ keys, revoked }: KeyRunSettings): { all: string[]; revoked: string[]; working: string[] } {
  const all = Array.from({ length: keys }, (_, index) => `sk-bench-${String(index + 1).padStart(4, '0')}`);
  const gone = all.filter((_, index) => index % Math.floor(keys / revoked) === 3).slice(0, revoked);
  return { all, revoked: gone, working: all.filter((key) => !gone.includes(key)) };
}

export async function runWithPool(settings: KeyRunSettings): Promise<KeyRunReport> {
  const keys = keysOf(settings);
  const provider = await providerOf(settings, keys.revoked);
  const variables = Object.fromEntries(keys.all.map((key, index) => [`KEY${index + 1}`, key]));
  const service = { baseUrl: provider.url, path: '/v1/chat/completions', keyPool: 'default' };
  try {
    return await measure(settings, provider, service, variables, keys.working);
  } finally {
    await provider.stop();
  }
}

/** The same pipeline, with a gateway behind it that takes any key for any call. */
export async function runWithRandomKeys(settings: KeyRunSettings): Promise<KeyRunReport> {
  const keys = keysOf(settings);
  const provider = await providerOf(settings, keys.revoked);
  const gateway = await startRandomKeys(provider.url, keys.all);
  try {
    return await measure(settings, provider, { baseUrl: gateway.url, path: '/v1/chat/completions' }, {}, keys.working);
  } finally {
    await gateway.stop();
    await provider.stop();
  }
}

function providerOf({ limit, windowMs, headers }: KeyRunSettings, revoked: readonly string[]): Promise<Provider> {
  return startProvider({ limit, windowMs, headers, revoked, kind: 'sliding', latencyMs: 20 });
}

async function measure(
  settings: KeyRunSettings,
  provider: Provider,
  service: { baseUrl: string; path: string; keyPool?: string },
  variables: Readonly<Record<string, string>>,
  working: readonly string[],
): Promise<KeyRunReport> {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-keys-'));
  const run = await startLocal({
    stateDir,
    services: { [SERVICE]: service },
    secrets: { ...SECRETS, ...variables },
    // As in production: one queue write accepts a task.
    vars: { ACCEPT: 'queue' },
  });
  try {
    const startedAt = Date.now();
    await submitTasks(run, settings.tasks);
    using database = openDatabaseFile(stateDir);
    const ended = await untilEnded(database, settings.tasks, settings.windowMs * 30);
    return { ...ended, tookMs: ended.lastAt - startedAt, ...seenBy(provider, working) };
  } finally {
    await run.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

function seenBy(provider: Provider, working: readonly string[]) {
  const records = provider.accounts.report();
  const total = (count: (record: (typeof records)[number]) => number) =>
    records.reduce((sum, record) => sum + count(record), 0);
  const byKey = working.map((key) => records.find((record) => record.key === nameOfKey(key))?.admitted ?? 0);
  const mean = byKey.reduce((sum, count) => sum + count, 0) / byKey.length;
  return {
    calls: total(({ admitted, limited, refused }) => admitted + limited + refused),
    limited: total(({ limited }) => limited),
    refused: total(({ refused }) => refused),
    byKey,
    spread: (Math.max(...byKey) - Math.min(...byKey)) / mean,
  };
}
