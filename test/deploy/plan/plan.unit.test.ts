import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { configBelowRoot, PlanError, planWorkers, workersOf } from '../../../deploy/plan/plan.ts';

const wranglerToml = () => parse(readFileSync('wrangler.toml', 'utf8'));

describe('the shard plan of the repository', () => {
  const plan = planWorkers(wranglerToml(), { shards: 3 });

  it('has one producer, one callback and a consumer per shard, bound Workers first', () => {
    expect(workersOf(plan).map(({ name }) => name)).toEqual([
      'tasklane-callback',
      'tasklane-consumer-0',
      'tasklane-consumer-1',
      'tasklane-consumer-2',
      'tasklane-producer',
    ]);
  });

  it('gives producer and callback one queue binding per shard and keeps their other queues', () => {
    const bindings = (worker: typeof plan.producer) =>
      worker.queues.producers.map(({ binding, queue }) => `${binding}=${queue}`);
    const perShard = [0, 1, 2].map((shard) => `TASK_QUEUE_${shard}=tasklane-tasks-${shard}`);
    expect(bindings(plan.producer)).toEqual(perShard);
    expect(bindings(plan.callback)).toEqual([...perShard, 'DEAD_QUEUE=tasklane-dead']);
  });

  it('gives each consumer its own queue, itself, its number, and the shared ledger', () => {
    expect(plan.consumers).toHaveLength(3);
    plan.consumers.forEach((consumer, shard) => {
      expect(consumer.queues.producers).toEqual([
        { binding: 'OWN_QUEUE', queue: `tasklane-tasks-${shard}` },
        ...[0, 1, 2].map((other) => ({ binding: `TASK_QUEUE_${other}`, queue: `tasklane-tasks-${other}` })),
      ]);
      expect(consumer.queues.consumers).toEqual([
        expect.objectContaining({ queue: `tasklane-tasks-${shard}`, dead_letter_queue: 'tasklane-dead' }),
      ]);
      expect(consumer.services).toEqual([
        expect.objectContaining({ binding: 'LEDGER', service: 'tasklane-callback' }),
        expect.objectContaining({ binding: 'REGISTRY', service: 'tasklane-callback', entrypoint: 'RegistryRpc' }),
      ]);
      expect(consumer.vars).toMatchObject({ SHARD: String(shard) });
    });
  });

  it.each([
    ['kv_namespaces', { env: { producer: { kv_namespaces: [] } } }, 'env.producer.kv_namespaces'],
    ['a typo at the root', { compatability_flags: [] }, 'compatability_flags'],
    [
      'a queue setting',
      { env: { producer: { queues: { producers: [{ binding: 'A', queue: 'b', delay: 1 }] } } } },
      'delay',
    ],
  ])('refuses %s by name: a deploy would lose it', (_, more: Record<string, unknown>, name) => {
    const toml = wranglerToml() as { env: Record<string, object> };
    const env = { ...toml.env, producer: { ...toml.env.producer, ...(more.env as { producer?: object })?.producer } };
    expect(() => planWorkers({ ...toml, ...more, env }, { shards: 1 })).toThrow(
      new RegExp(`^wrangler\\.toml: .*${name}: is not understood, and a deploy would lose it`),
    );
  });

  it('fills in what the root says for every Worker, and lets a section override it', () => {
    for (const worker of workersOf(plan)) {
      expect(worker.compatibility_date).toBe(wranglerToml().compatibility_date);
      expect(worker.vars).toHaveProperty('PUBLIC_URL');
      expect(worker).not.toHaveProperty('env');
    }
    expect(plan.producer).toMatchObject({ workers_dev: true });
    expect(plan.callback).toMatchObject({ workers_dev: false });
  });

  it('leads paths back to the root from a file below it', () => {
    const config = configBelowRoot(plan.producer, 2);
    expect(config.main).toBe('../../producer/index.ts');
    expect(config.d1_databases[0]?.migrations_dir).toBe('../../migrations');
  });
});

describe('a shard that goes', () => {
  const plan = planWorkers(wranglerToml(), { shards: 1, draining: [1, 2] });

  it('is sent to by nobody, itself included', () => {
    for (const worker of workersOf(plan)) {
      expect(worker.queues.producers.map(({ queue }) => queue)).not.toContain('tasklane-tasks-1');
      expect(worker.services.map(({ service }) => service)).not.toContain(
        worker.name === 'tasklane-consumer-2' ? 'tasklane-consumer-1' : 'tasklane-consumer-2',
      );
    }
  });

  it('takes what is in its queue and keeps what must wait on a shard that stays', () => {
    const [first] = plan.draining;
    expect(first?.name).toBe('tasklane-consumer-1');
    expect(first?.vars).toMatchObject({ SHARD: '1', DRAINING: 'true' });
    expect(first?.queues.consumers.map(({ queue }) => queue)).toEqual(['tasklane-tasks-1']);
    expect(first?.queues.producers).toContainEqual({ binding: 'OWN_QUEUE', queue: 'tasklane-tasks-0' });
  });
});

describe('a preview', () => {
  const plan = planWorkers(wranglerToml(), { shards: 1, preview: 'pr-7' });
  const producer = { ...plan.producer };

  it('has names of its own for everything', () => {
    expect(plan.name).toBe('tasklane-pr-7');
    const names = JSON.stringify(workersOf(plan)).match(/"tasklane[a-z0-9-]*"/g) ?? [];
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(name).toMatch(/^"tasklane-pr-7(?:-|"$)/);
    expect(producer.d1_databases[0]?.database_name).toBe('tasklane-pr-7');
  });

  it('counts requests apart from the first, the same each time, and from other previews', () => {
    const counters = (preview?: string) =>
      planWorkers(wranglerToml(), { shards: 1, preview }).producer.ratelimits.map(({ namespace_id }) => namespace_id);
    expect(counters()).toEqual(['1001', '1002', '1003']);
    expect(counters('pr-7')).toEqual(counters('pr-7'));
    const all = [...counters(), ...counters('pr-7'), ...counters('pr-8')];
    expect(new Set(all).size).toBe(9);
    for (const id of all) expect(id).toMatch(/^\d{4,10}$/);
  });

  it('does not take the domain of the first', () => {
    const toml = wranglerToml() as { env: { producer: object } };
    const routes = [{ pattern: 'tasks.example.com', custom_domain: true }];
    const withDomain = { ...toml, env: { ...toml.env, producer: { ...toml.env.producer, routes } } };
    expect(planWorkers(withDomain, { shards: 1 }).producer.routes).toEqual(routes);
    expect(planWorkers(withDomain, { shards: 1, preview: 'pr-7' }).producer.routes).toEqual([]);
  });
});

describe('variables of a plan', () => {
  it('go to the Workers that declare them', () => {
    const plan = planWorkers(wranglerToml(), { shards: 1, vars: { ACCEPT: 'queue+record' } });
    expect(plan.producer.vars).toMatchObject({ ACCEPT: 'queue+record' });
    expect(plan.callback.vars).not.toHaveProperty('ACCEPT');
  });

  it('go to every Worker when none declares them', () => {
    const plan = planWorkers(wranglerToml(), { shards: 1, vars: { NEW_ONE: 'x' } });
    for (const worker of workersOf(plan)) expect(worker.vars).toMatchObject({ NEW_ONE: 'x' });
  });
});

describe('a configuration that cannot be planned', () => {
  it.each([
    ['no shard', { shards: 0 }, (toml: Toml) => toml, /at least one shard/],
    ['a fraction of a shard', { shards: 1.5 }, (toml: Toml) => toml, /at least one shard/],
    [
      'a missing section',
      { shards: 1 },
      ({ env: { callback: _, ...env }, ...toml }: Toml) => ({ ...toml, env }),
      /env\.callback/,
    ],
    [
      'a consumer not named for shard 0',
      { shards: 1 },
      (toml: Toml) => withConsumer(toml, { name: 'c' }),
      /env\.consumer\.name/,
    ],
    [
      'a consumer without a queue',
      { shards: 1 },
      (toml: Toml) => withConsumer(toml, { queues: {} }),
      /queue of shard 0/,
    ],
    [
      'a batch size left to the default',
      { shards: 1 },
      (toml: Toml) => withConsumer(toml, { queues: { consumers: [{ queue: 'q-0' }] } }),
      /max_batch_size/,
    ],
  ])('%s', (_name, options, change, message) => {
    const plan = () => planWorkers(change(wranglerToml() as Toml), options);
    expect(plan).toThrow(PlanError);
    expect(plan).toThrow(message);
  });
});

type Toml = { env: Record<string, object> };

function withConsumer(toml: Toml, fields: object): Toml {
  return { ...toml, env: { ...toml.env, consumer: { ...toml.env.consumer, ...fields } } };
}
