/** The stub must find what a bad deploy does: each test does one bad thing to an account that works. */
import { describe, expect, it } from 'vitest';
import type { Binding, UploadMetadata } from '../../deploy/upload/metadata.ts';
import { FREE } from '../../rehearse/account-limits.ts';
import { FakeCloudflare } from '../../rehearse/fake-cloudflare.ts';
import { faultsOf, leaks } from '../../rehearse/invariants.ts';
import { ApiRefusal } from '../../rehearse/refusal.ts';
import { type ApiRequest, routeOf } from '../../rehearse/routes.ts';

const REQUIRED = { producer: ['JWT_SECRET'] };

const metadata = (bindings: readonly Binding[], more: Partial<UploadMetadata> = {}): UploadMetadata => ({
  main_module: 'index.js',
  bindings,
  compatibility_date: '2026-10-20',
  compatibility_flags: [],
  keep_bindings: ['secret_text'],
  observability: { enabled: true },
  ...more,
});

const module = (...names: string[]) => [
  { name: 'index.js', contents: `export default {};\n${names.map((name) => `export class ${name} {}`).join('\n')}` },
];

/** A producer with a public address, a consumer behind its queue, a database. */
function working(): FakeCloudflare {
  const cloud = new FakeCloudflare();
  const queue = cloud.createQueue('t-tasks-0', {});
  const { uuid } = cloud.createDatabase('t');
  cloud.runStatements(uuid, 'CREATE TABLE tasks (id TEXT)', []);
  cloud.upload('t-consumer-0', metadata([]), module('KeyAdmin'));
  cloud.attach(queue.id, { script: 't-consumer-0', deadLetterQueue: undefined, settings: {} });
  cloud.upload(
    't-producer',
    metadata([
      { name: 'DB', type: 'd1', id: uuid },
      { name: 'TASK_QUEUE_0', type: 'queue', queue_name: 't-tasks-0' },
      { name: 'CONSUMER_0', type: 'service', service: 't-consumer-0', entrypoint: 'KeyAdmin' },
    ]),
    module(),
  );
  cloud.patchSecrets('t-producer', { JWT_SECRET: { text: 'x' } });
  cloud.script('t-producer').hasAddress = true;
  return cloud;
}

describe('an account that works', () => {
  it('has no faults', () => {
    expect(faultsOf(working(), REQUIRED)).toEqual([]);
  });

  it.each<[string, (cloud: FakeCloudflare) => void, RegExp]>([
    ['a queue loses its consumer', (cloud) => cloud.queueNamed('t-tasks-0')!.consumers.clear(), /nobody consumes/],
    ['a queue is gone', (cloud) => cloud.queues.clear(), /t-tasks-0, which is gone/],
    ['a bound Worker is gone', (cloud) => cloud.deleteScript('t-consumer-0', true), /t-consumer-0, which is gone/],
    ['a secret is taken away', (cloud) => cloud.patchSecrets('t-producer', { JWT_SECRET: null }), /lacks the secret/],
    [
      'a log is off',
      (cloud) => cloud.setSettings('t-consumer-0', { observability: { enabled: false } }),
      /writes no log/,
    ],
    ['the database is another', (cloud) => cloud.databases.clear(), /database that is gone/],
    [
      'the database has no tables',
      (cloud) => {
        for (const { database } of cloud.databases.values()) database.exec('DROP TABLE tasks');
      },
      /database without tables/,
    ],
    [
      'a shard is said to hold keys that it does not have',
      (cloud) => {
        const bindings = [
          { name: 'SHARD', type: 'plain_text', text: '0' },
          { name: 'KEY_SHARDS', type: 'json', json: { default: [0] } },
        ];
        cloud.upload('t-consumer-0', metadata(bindings), module('KeyAdmin'));
      },
      /holds none/,
    ],
  ])('does not any more when %s', (_name, harm, fault) => {
    const cloud = working();
    harm(cloud);
    expect(faultsOf(cloud, REQUIRED).join()).toMatch(fault);
  });

  it('has two Workers that count requests in one place', () => {
    const cloud = working();
    const counting = (name: string) => {
      const simple = { limit: 5, period: 10 };
      cloud.upload(name, metadata([{ name: 'R', type: 'ratelimit', namespace_id: '1001', simple }]), module());
      cloud.script(name).hasAddress = true;
    };
    counting('t-one');
    expect(faultsOf(cloud, REQUIRED)).toEqual([]);
    counting('t-two');
    expect(faultsOf(cloud, REQUIRED)).toEqual(['t-one and t-two count together in 1001']);
  });

  it('is of no interest without an address', () => {
    const cloud = working();
    cloud.script('t-producer').hasAddress = false;
    cloud.queues.clear();
    expect(faultsOf(cloud, REQUIRED)).toEqual([]);
  });
});

describe('secrets on the wire', () => {
  const request = (more: Partial<ApiRequest>): ApiRequest => ({
    method: 'PUT',
    path: '/workers/scripts/t',
    query: new URLSearchParams(),
    contentType: 'application/json',
    body: Buffer.from(''),
    ...more,
  });

  it('may be in a call that sets secrets, and are found everywhere else', () => {
    const body = Buffer.from('{"text":"hush"}');
    expect(leaks(request({ method: 'PATCH', path: '/workers/scripts/t/secrets-bulk', body }), ['hush'])).toEqual([]);
    expect(leaks(request({ body }), ['hush'])).toEqual([expect.stringContaining('in the body')]);
    const bindings = (type: string) => Buffer.from(JSON.stringify({ bindings: [{ name: 'S', type, text: 'hush' }] }));
    expect(leaks(request({ body: bindings('secret_text') }), ['hush'])).toEqual([]);
    expect(leaks(request({ body: bindings('plain_text') }), ['hush'])).toHaveLength(1);
    expect(leaks(request({ query: new URLSearchParams({ q: 'hush' }) }), ['hush'])).toHaveLength(1);
  });
});

describe('what the platform refuses', () => {
  const refused = (act: () => unknown) => {
    expect(act).toThrow(ApiRefusal);
  };

  const codeOf = (act: () => unknown): number => {
    try {
      act();
    } catch (error) {
      if (error instanceof ApiRefusal) return error.code;
      throw error;
    }
    return 0;
  };

  it.each<[string, Binding]>([
    ['queue', { name: 'Q', type: 'queue', queue_name: 'nowhere' }],
    ['database', { name: 'D', type: 'd1', id: 'nowhere' }],
    ['bucket', { name: 'B', type: 'r2_bucket', bucket_name: 'nowhere' }],
    ['Worker', { name: 'S', type: 'service', service: 'nowhere' }],
    ['entry point', { name: 'S', type: 'service', service: 't-consumer-0', entrypoint: 'Nobody' }],
    ['class', { name: 'K', type: 'durable_object_namespace', class_name: 'KeyPool' }],
  ])('is a binding to a %s that does not exist', (_what, binding) => {
    const cloud = working();
    refused(() => cloud.upload('t-other', metadata([binding]), module('KeyPool')));
  });

  it('is a migration a second time, and a class that is not exported', () => {
    const cloud = working();
    const migrations = { new_tag: 'v1', steps: [{ new_sqlite_classes: ['KeyPool'] }] };
    refused(() => cloud.upload('t-other', metadata([], { migrations }), module()));
    cloud.upload('t-other', metadata([], { migrations }), module('KeyPool'));
    refused(() => cloud.upload('t-other', metadata([], { migrations }), module('KeyPool')));
  });

  it('is a queue twice, a second consumer, and more than a hundred secrets at once', () => {
    const cloud = working();
    const queue = cloud.queueNamed('t-tasks-0')!;
    refused(() => cloud.createQueue('t-tasks-0', {}));
    refused(() => cloud.attach(queue.id, { script: 't-producer', deadLetterQueue: undefined, settings: {} }));
    refused(() => cloud.deleteQueue(queue.id));
    const many = Array.from({ length: 101 }, (_, index) => [`S${index}`, { text: 'x' }] as const);
    refused(() => cloud.patchSecrets('t-producer', Object.fromEntries(many)));
  });

  it('is a change of secrets while an older version runs, as after a rollback: many (10214) or one (10215)', () => {
    const cloud = working();
    cloud.upload('t-consumer-0', metadata([]), module('KeyAdmin'));
    cloud.script('t-consumer-0').rollBack();
    const byWay = (method: string, path: string, contentType: string, body: unknown) => {
      const query = new URLSearchParams();
      const request = { method, path: `/workers/scripts/t-consumer-0/${path}`, query, contentType };
      return codeOf(() => routeOf({ ...request, body: Buffer.from(JSON.stringify(body)) }).run(cloud));
    };
    const secret = { name: 'KEY1', type: 'secret_text', text: 'x' };
    expect(byWay('PATCH', 'secrets-bulk', 'application/merge-patch+json', { secrets: { KEY1: secret } })).toBe(10214);
    expect(byWay('PUT', 'secrets', 'application/json', secret)).toBe(10215);
    cloud.upload('t-consumer-0', metadata([{ name: 'KEY1', type: 'secret_text', text: 'x' }]), module('KeyAdmin'));
    cloud.patchSecrets('t-consumer-0', { KEY2: { text: 'y' } });
    expect([...cloud.script('t-consumer-0').secrets.keys()]).toEqual(['KEY1', 'KEY2']);
  });

  it('is a variable over 5 KB, and more of them than a Worker may have', () => {
    const cloud = working();
    const variables = (count: number, text: string) =>
      metadata(Array.from({ length: count }, (_, index) => ({ name: `V${index}`, type: 'plain_text', text })));
    expect(codeOf(() => cloud.upload('t-other', variables(1, 'x'.repeat(5 * 1024 + 1)), module()))).toBe(10054);
    expect(codeOf(() => cloud.upload('t-other', variables(129, 'x'), module()))).toBe(10055);
    cloud.limits = FREE;
    expect(codeOf(() => cloud.upload('t-other', variables(65, 'x'), module()))).toBe(10055);
    expect(codeOf(() => cloud.upload('t-other', variables(64, 'x'), module()))).toBe(0);
  });

  it('is one Worker, one cron, one day of retention too many for the free plan', () => {
    const cloud = working();
    cloud.limits = { ...FREE, workers: 2 };
    expect(codeOf(() => cloud.upload('t-other', metadata([]), module()))).toBe(10037);
    expect(
      codeOf(() =>
        cloud.setCrons(
          't-producer',
          Array.from({ length: 6 }, () => '* * * * *'),
        ),
      ),
    ).toBe(10072);
    refused(() => cloud.createQueue('t-more', { message_retention_period: 86_401 }));
    cloud.createQueue('t-more', { message_retention_period: 86_400 });
  });

  it('is any change of crons while the account has too many, also one to fewer', () => {
    const cloud = working();
    cloud.setCrons('t-producer', ['* * * * *', '0 * * * *']);
    cloud.limits = { ...FREE, crons: 1 };
    expect(codeOf(() => cloud.setCrons('t-producer', []))).toBe(10072);
  });

  it('is the removal of a queue that a Worker sends to, and of a Worker that another is bound to', () => {
    const cloud = working();
    const queue = cloud.queueNamed('t-tasks-0')!;
    queue.consumers.clear();
    expect(codeOf(() => cloud.deleteQueue(queue.id))).toBe(11005);
    expect(codeOf(() => cloud.deleteScript('t-consumer-0', false))).toBe(10142);
    expect(codeOf(() => cloud.deleteScript('t-consumer-0', true))).toBe(0);
  });

  it('is a domain that leads elsewhere, a compatibility date to come, a flag that there is not', () => {
    const cloud = working();
    cloud.takenDomains.add('tasks.example.com');
    expect(codeOf(() => cloud.setDomains('t-producer', ['tasks.example.com']))).toBe(100117);
    cloud.setDomains('t-producer', ['other.example.com']);
    refused(() => cloud.setDomains('t-consumer-0', ['other.example.com']));
    const with_ = (more: Partial<UploadMetadata>) => () => cloud.upload('t-other', metadata([], more), module());
    expect(codeOf(with_({ compatibility_date: '2199-01-01' }))).toBe(10021);
    expect(codeOf(with_({ compatibility_flags: ['no_such_flag'] }))).toBe(10021);
  });

  it('is wrong SQL, and all of it', () => {
    const cloud = working();
    const [uuid] = cloud.databases.keys();
    refused(() => cloud.runStatements(uuid!, 'CREATE TABLE other (id TEXT); CREATE TABEL tasks2 (id TEXT);', []));
    expect(cloud.runStatements(uuid!, "SELECT name FROM sqlite_schema WHERE name = 'other'", [])).toEqual([]);
  });

  it('is an address that it does not have', () => {
    const request = {
      method: 'GET',
      path: '/zones',
      query: new URLSearchParams(),
      contentType: '',
      body: Buffer.from(''),
    };
    refused(() => routeOf(request));
  });
});
