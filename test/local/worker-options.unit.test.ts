import { describe, expect, it } from 'vitest';
import { planKeys } from '../../deploy/plan/key-plan.ts';
import { readPlan } from '../../deploy/plan/plan-files.ts';
import { secretNames } from '../../deploy/plan/secret-names.ts';
import { localWorkers, planLocal } from '../../local/local-plan.ts';
import { workerOptions } from '../../local/worker-options.ts';

const BUNDLE = [{ type: 'ESModule', path: '/bundle/index.js', contents: 'export default {}' }] as const;
const BUNDLES = { producer: BUNDLE, callback: BUNDLE, consumer: BUNDLE };
const SECRETS = {
  JWT_SECRET: 'jwt',
  ID_SECRET: 'id',
  CALLBACK_SECRET: 'callback',
  WEBHOOK_SECRET: 'webhook',
  CALLBACK_SECRET_PREVIOUS: 'old',
  API_KEY: 'key',
  KEY1: 'first',
  KEY2: 'second',
};

const services = { api: { baseUrl: 'http://127.0.0.1:9', headers: { 'x-api-key': { secret: 'API_KEY' } } } };
const keys = planKeys(['KEY1', 'KEY2'], 2);
const plan = planLocal({ keys, services, vars: {} }, 'http://localhost:8787');

describe('the Workers of the local run', () => {
  const workers = localWorkers(plan, keys, BUNDLES, SECRETS, 8787);
  const named = (name: string) => workers.find((worker) => worker.name === name);

  it('record what they accept, may call private addresses, and know their own address', () => {
    expect(named('tasklane-producer')?.bindings).toMatchObject({
      ACCEPT: 'queue+record',
      ALLOW_PRIVATE_TARGETS: 'true',
      PUBLIC_URL: 'http://localhost:8787',
    });
  });

  it('listen in one place only: the producer', () => {
    expect(named('tasklane-producer')?.unsafeDirectSockets).toEqual([{ host: '127.0.0.1', port: 8787 }]);
    expect(workers.filter((worker) => worker.unsafeDirectSockets !== undefined)).toHaveLength(1);
  });

  it('reach the network directly where they call backends, and nowhere else', () => {
    const direct = workers.filter(({ serviceBindings }) => 'OUTBOUND' in (serviceBindings ?? {}));
    expect(direct.map(({ name }) => name)).toEqual(['tasklane-consumer-0', 'tasklane-consumer-1']);
  });

  it('get their own secrets and no others; what services send is for consumers alone', () => {
    const bound = (name: string) => Object.keys(SECRETS).filter((secret) => secret in (named(name)?.bindings ?? {}));
    expect(bound('tasklane-producer')).toEqual(['JWT_SECRET', 'ID_SECRET', 'WEBHOOK_SECRET']);
    expect(bound('tasklane-callback')).toEqual(['CALLBACK_SECRET', 'CALLBACK_SECRET_PREVIOUS']);
    expect(bound('tasklane-consumer-1')).toEqual(['WEBHOOK_SECRET', 'API_KEY', 'KEY2']);
  });

  it('have every option of their queues set', () => {
    expect(named('tasklane-consumer-1')?.queueConsumers).toEqual({
      'tasklane-tasks-1': {
        maxBatchSize: 100,
        maxBatchTimeout: 0,
        maxRetries: 100,
        retryDelay: 0,
        deadLetterQueue: 'tasklane-dead',
      },
    });
  });
});

describe('a local plan', () => {
  it('is refused when a service cannot be right', () => {
    const broken = planLocal({ keys, services: { api: { baseUrl: 'ftp://x' } }, vars: {} }, 'http://localhost:1');
    expect(() => secretNames(broken, keys)).toThrow(/^SERVICES\.api\.baseUrl/);
  });

  it('is refused when a section has no counterpart in the local runtime', () => {
    const strange = { ...readPlan({ shards: 1 }).producer, kv_namespaces: [] };
    expect(() => workerOptions(strange, BUNDLE, {})).toThrow(/kv_namespaces of tasklane-producer/);
  });
});
