/**
 * What the callback Worker's isolate holds in memory while batches of large bodies are claimed and settled: it serves
 * all consumers, and the platform ends an isolate at 128 MB.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startBackend } from '../../examples/backend/server.ts';
import { exampleServices } from '../../examples/services.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { startLocal } from '../../local/runtime.ts';
import { signToken } from '../../shared/auth/token.ts';
import { IsolateMemory } from '../measure/isolate-memory.ts';

const MOST_MEGABYTES = 64;

/** With what the echo adds, just below what a row holds. */
const BODY_CHARS = 62 * 1024;

interface Load {
  readonly name: string;
  readonly shards: number;
  readonly tasks: number;
}

const LOADS: readonly Load[] = [
  { name: 'one batch of 100', shards: 1, tasks: 100 },
  { name: 'four batches of 100 at once', shards: 4, tasks: 400 },
];

export interface HeldMemory {
  readonly name: string;
  /** One batch, and no other at the same time. */
  readonly isAlone: boolean;
  /** Megabytes: before, at most while it worked, and of that what was not garbage. */
  readonly before: number;
  readonly most: number;
  readonly mostLive: number;
}

export async function measureCallbackMemory(): Promise<HeldMemory[]> {
  const held: HeldMemory[] = [];
  for (const load of LOADS) held.push(await measure(load));
  return held;
}

/** What is garbage is collected before an isolate meets its limit; a batch of 100 is to fit with all of it. */
export function isWithinMemory({ isAlone, most, mostLive }: HeldMemory): boolean {
  return mostLive <= MOST_MEGABYTES && (!isAlone || most <= MOST_MEGABYTES);
}

export function memoryRows(held: readonly HeldMemory[]): string[][] {
  return held.map((each) => [
    each.name,
    ...[each.before, each.most, each.mostLive].map((megabytes) => megabytes.toFixed(1)),
    `≤ ${MOST_MEGABYTES} ${each.isAlone ? 'at most' : 'live'}`,
    isWithinMemory(each) ? 'met' : 'MISSED',
  ]);
}

export const MEMORY_HEADER = ['tasks of 64 KB, results too', 'MB before', 'MB at most', 'of it live', 'budget', ''];

async function measure({ name, shards, tasks }: Load): Promise<HeldMemory> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'tasklane-memory-'));
  const backend = await startBackend();
  const secret = () => randomBytes(48).toString('base64url');
  const secrets = {
    JWT_SECRET: secret(),
    ID_SECRET: secret(),
    CALLBACK_SECRET: secret(),
    WEBHOOK_SECRET: secret(),
  };
  const services = exampleServices(backend.url);
  const run = await startLocal({ stateDir, shards, services, secrets, vars: { ACCEPT: 'queue' }, inspectorPort: 0 });
  try {
    const token = await signToken({ sub: 'memory', role: 'admin' }, secrets.JWT_SECRET, 3600);
    const call = async (method: string, target: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(run.url + target, { method, headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${target}: ${answer.status} ${await answer.text()}`);
    };
    const database = openDatabaseFile(stateDir);
    const until = async (condition: string, count: number) => {
      for (let look = 0; look < 1_200; look++) {
        const row = database.prepare(`SELECT count(*) AS found FROM tasks WHERE ${condition}`).get();
        if (row?.found === count) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`${condition} is not true of ${count} tasks after a minute`);
    };
    let submitted = 0;
    /** They wait while the service is paused, and all come when it is resumed. */
    const wave = async () => {
      await call('POST', '/api/services/echo/pause', {});
      const payload = 'x'.repeat(BODY_CHARS);
      for (let from = 0; from < tasks; from += 10) {
        await Promise.all(Array.from({ length: 10 }, () => call('POST', '/api/task', { service: 'echo', payload })));
      }
      submitted += tasks;
      await until("parked_for = 'service:echo'", tasks);
      await call('POST', '/api/services/echo/resume', {});
      await until("status = 'succeeded'", submitted);
    };
    using memory = await IsolateMemory.open(await run.miniflare.getInspectorURL(), 'tasklane-callback');
    await wave();
    const before = await memory.megabytes(true);
    const most = await memory.most(wave(), false);
    const mostLive = await memory.most(wave(), true);
    database.close();
    return { name, isAlone: shards === 1, before, most, mostLive };
  } finally {
    await run.stop();
    await backend.stop();
    rmSync(stateDir, { recursive: true, force: true });
  }
}
