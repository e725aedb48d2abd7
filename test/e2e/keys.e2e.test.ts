/** Key pools in the real local run, with the example provider behind them. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Provider, startProvider } from '../../examples/provider/server.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import { allEnded, Client, SECRETS, type TaskView } from './pipeline.ts';

/** Recognisable, and with characters that are written differently in URLs and JSON. */
const planted = (name: string) => `PLANTED-${name}/+="0123456789abcdef`;
const KEYS: Record<string, string> = {
  ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`KEY${index + 1}`, planted(`default-${index + 1}`)])),
  KEY_OTHER_1: planted('other-1'),
};
const REVOKED = [planted('default-2')];

let stateDir: string;
let provider: Provider;
let run: LocalRun;
let database: DatabaseSync;
const logged: string[] = [];

beforeAll(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-keys-'));
  provider = await startProvider({ limit: 4, windowMs: 2_000, kind: 'fixed', revoked: REVOKED });
  const baseUrl = provider.url;
  run = await startLocal({
    stateDir,
    secrets: { ...SECRETS, ...KEYS },
    services: {
      bearer: { baseUrl, path: '/v1/chat/completions', keyPool: 'default' },
      header: { baseUrl, path: '/echo', keyPool: 'default', auth: { header: 'x-api-key' } },
      google: {
        baseUrl,
        path: '/v1beta/models/m:generateContent',
        keyPool: 'other',
        auth: { header: 'x-goog-api-key' },
      },
      query: { baseUrl, path: '/echo', keyPool: 'other', auth: { query: 'key' } },
      // Nobody listens there: the error must not tell the address with the key in it.
      nowhere: {
        baseUrl: 'http://127.0.0.1:9',
        keyPool: 'default',
        auth: { query: 'key' },
        retry: { maxAttempts: 2, baseSeconds: 0, capSeconds: 1 },
      },
    },
    log: ({ text }) => logged.push(text),
  });
  database = openDatabaseFile(stateDir);
});
afterAll(async () => {
  database?.close();
  await run?.stop();
  await provider?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

interface KeyStats {
  readonly keys: readonly { shard: number; pool: string; key: string; state: string; calls: number }[];
}

describe('key pools in the local run', () => {
  it('run tasks through limits and a revoked key, on as many shards as the keys need, and tell no key', async () => {
    const client = await Client.as(run.url, 'alice');
    const admin = await Client.as(run.url, 'root', 'admin');
    expect(run.shards).toBe(2);

    const many = (count: number, task: Record<string, unknown>) => Array.from({ length: count }, () => task);
    const chat = { service: 'bearer', payload: { model: 'example', messages: [] } };
    const ids = await client.submitMany([
      ...many(40, chat),
      ...many(3, { service: 'google', payload: {} }),
      { service: 'header', payload: { hello: 'world' } },
      { service: 'header', path: '/echo-error', payload: {} },
      { service: 'bearer', path: '/echo?debug=1', payload: {} },
      { service: 'query', payload: {} },
      { service: 'query', path: '/echo-error?n=1', payload: {} },
      { service: 'bearer', path: '/forbidden', payload: {} },
      { service: 'nowhere', payload: {}, ttlSeconds: 10 },
      { service: 'bearer', path: '/nothing-here', payload: {} },
    ]);
    // What one task alone is refused for may be the keys' fault, until each that refused it has worked for another since:
    // others come, as they do where there is traffic, for as long as it waits.
    let total = ids.length;
    const isDecided = async () => (await client.task(ids[48] ?? '')).status === 'failed';
    for (let round = 0; round < 30 && !(await isDecided()); round++) {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      total += (await client.submitMany(many(10, chat))).length;
    }
    await allEnded(database, total, 60_000);

    const answers: unknown[] = await Promise.all(ids.map((id) => client.task(id)));
    const tasks = answers as TaskView[];
    const at = (index: number) => tasks[index];
    for (const task of tasks.slice(0, 44)) expect(task.status).toBe('succeeded');
    // Echoes come back without the key that they were sent with.
    expect(JSON.stringify(at(43)?.result)).toContain('[redacted]');
    expect(at(44)).toMatchObject({ status: 'failed' });
    expect(JSON.stringify(at(45)?.result)).toContain('Bearer [redacted]');
    expect(JSON.stringify(at(46)?.result)).toContain('key=[redacted]');
    expect(at(48)).toMatchObject({ status: 'failed' });
    expect(at(48)?.error?.message).toContain('403');
    // Nobody answers there: it waits for somebody to, as long as it may.
    expect(at(49)).toMatchObject({ status: 'expired' });

    const stats = await admin.call<KeyStats>('GET', '/api/stats/keys');
    expect(stats.body.keys.map(({ shard, pool, key }) => `${shard} ${pool} ${key}`).sort()).toEqual(
      [...Array.from({ length: 8 }, (_, index) => `0 default ${index + 1}`), '0 other other-1', '1 default 9'].sort(),
    );
    const named = (key: string) => stats.body.keys.find((each) => each.key === key);
    expect(named('2')).toMatchObject({ state: 'disabled', why: 'refused with 401' });
    expect(stats.body.keys.filter(({ state }) => state === 'disabled')).toHaveLength(1);

    const disabled = await admin.call('POST', '/api/keys/0/3/disable');
    const enabled = await admin.call('POST', '/api/keys/0/3/enable');
    const reset = await admin.call('POST', '/api/keys/0/2/reset');
    expect([disabled.body.state, enabled.body.state, reset.body.state]).toEqual(['disabled', 'ready', 'ready']);

    const list = await admin.list();
    const missing = await admin.call('POST', '/api/keys/0/99/reset');
    const responses = JSON.stringify([
      answers,
      stats,
      disabled,
      enabled,
      reset,
      list,
      missing,
      database.prepare('SELECT * FROM tasks').all(),
    ]);
    tellsNoKey(responses, 'a response or a row');
    tellsNoKey(logged.join('\n'), 'the log');
    expect(logged.filter((line) => line.includes('"key.refused"') && line.includes('"httpStatus":401'))).toHaveLength(
      1,
    );
  });

  it('leave no key in anything that is written to the disk', async () => {
    await run.stop();
    const files = await readdir(stateDir, { recursive: true, withFileTypes: true });
    const contents = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => readFile(path.join(file.parentPath, file.name), 'latin1')),
    );
    // The database and the pools' objects are among them.
    expect(contents.filter((content) => content.startsWith('SQLite format 3')).length).toBeGreaterThan(2);
    for (const content of contents) tellsNoKey(content, 'a file');
  });
});

function tellsNoKey(text: string, where: string): void {
  for (const key of Object.values(KEYS)) {
    const forms = [key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1), btoa(key), key.slice(0, 16)];
    for (const form of forms) expect(text.includes(form), `${where} tells a key`).toBe(false);
  }
  expect(text.includes('PLANTED'), `${where} tells a part of a key`).toBe(false);
}
