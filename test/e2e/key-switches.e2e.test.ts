/** An administrator's word on a key in the real local run, whose next starts put the key elsewhere (decision 0096). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Provider, startProvider } from '../../examples/provider/server.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import { allEnded, Client, SECRETS } from './pipeline.ts';

const VALUES = Array.from({ length: 9 }, (_, index) => `key-of-the-provider-${index}`);
const [DISABLED = ''] = VALUES.slice(2);

interface KeyStats {
  readonly keys: readonly {
    readonly shard: number;
    readonly key: string;
    readonly fingerprint: string;
    readonly state: string;
    readonly calls: number;
  }[];
}

let stateDir: string;
let provider: Provider;
let run: LocalRun | undefined;
beforeAll(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-key-switches-'));
  provider = await startProvider({ limit: 1_000, windowMs: 1_000, kind: 'fixed', revoked: [] });
});
afterAll(async () => {
  await run?.stop();
  await provider?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** As after a deploy that gives these values the numbers from 1 on. */
async function startWith(values: readonly string[], shards?: number): Promise<Client> {
  await run?.stop();
  const keys = Object.fromEntries(values.map((value, index) => [`KEY${index + 1}`, value]));
  run = await startLocal({
    stateDir,
    secrets: { ...SECRETS, ...keys },
    services: { chat: { baseUrl: provider.url, path: '/v1/chat/completions', keyPool: 'default' } },
    ...(shards !== undefined && { shards }),
  });
  return Client.as(run.url, 'root', 'admin');
}

it('a key that was disabled stays so by another number, on another shard, with more shards, until it is enabled there', async () => {
  let admin = await startWith(VALUES);
  const keys = async () => (await admin.call<KeyStats>('GET', '/api/stats/keys')).body.keys;
  const key = (await keys()).find((each) => each.shard === 0 && each.key === '3');
  const here = async () => (await keys()).find(({ fingerprint }) => fingerprint === key?.fingerprint);
  expect((await admin.call('POST', '/api/keys/0/3/disable')).body.state).toBe('disabled');

  const others = VALUES.filter((value) => value !== DISABLED);
  admin = await startWith([...others, DISABLED]);
  const client = await Client.as(run?.url ?? '', 'alice');
  await client.submitMany(Array.from({ length: 30 }, () => ({ service: 'chat', payload: { model: 'example' } })));
  const database = openDatabaseFile(stateDir);
  await allEnded(database, 30, 60_000);
  database.close();
  expect(await here()).toMatchObject({ shard: 1, key: '9', state: 'disabled', calls: 0 });
  expect((await keys()).filter(({ state }) => state === 'disabled')).toHaveLength(1);

  admin = await startWith([...others.slice(0, 4), DISABLED, ...others.slice(4)], 3);
  expect(await here()).toMatchObject({ shard: 1, key: '5', state: 'disabled' });
  expect((await admin.call('POST', '/api/keys/1/5/enable')).body.state).toBe('ready');

  admin = await startWith([...others.slice(0, 6), DISABLED, ...others.slice(6)], 3);
  expect(await here()).toMatchObject({ shard: 2, key: '7', state: 'ready' });
});
