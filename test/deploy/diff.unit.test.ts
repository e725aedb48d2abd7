import { describe, expect, it } from 'vitest';
import type { Account, AccountQueue, AccountWorker } from '../../deploy/account/account.ts';
import { type Desired, type DesiredWorker, desiredOf, queueOfConsumer } from '../../deploy/desired.ts';
import { diffAccount } from '../../deploy/diff/diff.ts';
import type { DiffInput } from '../../deploy/diff/diff-input.ts';
import { type Step, targetOf } from '../../deploy/diff/step.ts';
import { planKeys } from '../../deploy/plan/key-plan.ts';
import { readPlan } from '../../deploy/plan/plan-files.ts';
import { secretNames } from '../../deploy/plan/secret-names.ts';
import { scriptSettings } from '../../deploy/upload/metadata.ts';

const KEYS = (count: number) => Array.from({ length: count }, (_, index) => `KEY${index + 1}`);

const MIGRATIONS = new Map([
  [
    'tasklane',
    [
      { name: '0001.sql', sql: '' },
      { name: '0002.sql', sql: '' },
    ],
  ],
]);

function desired(keyCount: number, draining: readonly number[] = []): Desired {
  const keys = planKeys(KEYS(keyCount));
  const plan = readPlan({ shards: keys.shards, draining });
  return desiredOf(plan, secretNames(plan, keys), MIGRATIONS);
}

const EMPTY: Account = {
  subdomain: 'sub',
  workers: new Map(),
  queues: new Map(),
  databases: new Map(),
  buckets: new Set(),
  otherWorkers: 0,
};

/** What an account has after a deploy of this. */
function deployed({ callback, consumers, producer, queues, buckets }: Desired): Account {
  const workers = [callback, ...consumers, producer].map(({ name, config, secrets }): [string, AccountWorker] => [
    name,
    {
      name,
      release: 'r1',
      isNewest: true,
      settings: scriptSettings(config),
      secrets: new Set(secrets),
      migrationTag: config.migrations.at(-1)?.tag,
      crons: config.triggers.crons,
      hasAddress: config.workers_dev ?? false,
      hasPreviewAddresses: false,
      domains: [],
      sendsTo: new Set(config.queues.producers.map(({ queue }) => queue)),
    },
  ]);
  const attached = [callback, ...consumers].flatMap(({ name, config }) =>
    config.queues.consumers.map((consumed): [string, AccountQueue] => [
      consumed.queue,
      {
        name: consumed.queue,
        id: consumed.queue,
        consumers: [
          {
            id: name,
            worker: name,
            settings: {
              batchSize: consumed.max_batch_size,
              maxRetries: consumed.max_retries,
              maxWaitMs: consumed.max_batch_timeout * 1000,
              maxConcurrency: undefined,
              retryDelaySeconds: undefined,
              deadLetterQueue: consumed.dead_letter_queue,
            },
          },
        ],
      },
    ]),
  );
  expect(attached.map(([name]) => name).sort()).toEqual([...queues].sort());
  return {
    ...EMPTY,
    workers: new Map(workers),
    queues: new Map(attached),
    buckets: new Set(buckets),
    databases: new Map([['tasklane', { name: 'tasklane', id: 'd1', migrations: new Set(['0001.sql', '0002.sql']) }]]),
  };
}

function diff(wanted: Desired, account: Account, more: Partial<DiffInput> = {}): Step[] {
  return diffAccount({
    desired: wanted,
    account,
    provided: new Set(),
    emptied: new Set(),
    keepsKeys: false,
    releaseOf: () => 'r1',
    ...more,
  });
}

const said = (steps: readonly Step[]) => steps.map((step) => `${step.kind} ${targetOf(step)}`);
const at = (steps: readonly Step[], text: string) => {
  const index = said(steps).indexOf(text);
  expect(index, text).toBeGreaterThanOrEqual(0);
  return index;
};

/** Everything that is bound, of a Worker. */
const boundBy = ({ config }: DesiredWorker) => config.services.map(({ service }) => service);

describe('a first deploy', () => {
  const wanted = desired(20);
  const steps = diff(wanted, EMPTY, { provided: new Set(['JWT_SECRET', ...KEYS(20)]) });

  it('makes what is bound before who binds it', () => {
    const first = Math.min(...steps.flatMap((step, index) => (step.kind === 'upload' ? [index] : [])));
    for (const [index, step] of steps.entries()) {
      if (['create-queue', 'create-bucket', 'create-database', 'migrate'].includes(step.kind)) {
        expect(index).toBeLessThan(first);
      }
    }
    for (const worker of [wanted.callback, ...wanted.consumers, wanted.producer]) {
      for (const bound of boundBy(worker).filter((name) => name !== worker.name)) {
        expect(at(steps, `upload ${bound}`)).toBeLessThan(at(steps, `upload ${worker.name}`));
      }
    }
  });

  it('gives a Worker its secrets with its first version, before anything reaches it', () => {
    const uploaded = (name: string) => steps[at(steps, `upload ${name}`)];
    expect(steps.some((step) => step.kind === 'put-secrets')).toBe(false);
    for (const { name, config, secrets } of wanted.consumers) {
      expect(uploaded(name)).toMatchObject({ secrets: secrets.filter((secret) => secret.startsWith('KEY')) });
      expect(at(steps, `upload ${name}`)).toBeLessThan(at(steps, `attach-queue ${queueOfConsumer(config)}`));
    }
    expect(uploaded('tasklane-producer')).toMatchObject({ secrets: ['JWT_SECRET'] });
    expect(at(steps, 'upload tasklane-producer')).toBeLessThan(at(steps, 'set-address tasklane-producer'));
  });

  it('applies migrations in their order', () => {
    expect(at(steps, 'migrate tasklane 0001.sql')).toBeLessThan(at(steps, 'migrate tasklane 0002.sql'));
  });
});

describe('the same again', () => {
  it('does nothing', () => {
    const wanted = desired(12);
    expect(diff(wanted, deployed(wanted))).toEqual([]);
  });

  it('writes the secrets that are given: with the code that is new, else by themselves', () => {
    const wanted = desired(8);
    const provided = new Set(['ID_SECRET']);
    const again = diff(wanted, deployed(wanted), { provided });
    expect(said(again)).toEqual(['put-secrets tasklane-producer']);
    const steps = diff(wanted, deployed(wanted), { provided, releaseOf: () => 'r2' });
    expect(steps.some((step) => step.kind === 'put-secrets')).toBe(false);
    expect(steps[at(steps, 'upload tasklane-producer')]).toMatchObject({ secrets: ['ID_SECRET'] });
  });

  it('uploads again what was rolled back, and what runs but is not the newest version', () => {
    const wanted = desired(8);
    const account = deployed(wanted);
    const with_ = (more: Partial<AccountWorker>) => ({
      ...account,
      workers: new Map([
        ...account.workers,
        ['tasklane-producer', { ...account.workers.get('tasklane-producer')!, ...more }] as const,
      ]),
    });
    expect(diff(wanted, with_({ release: 'r0', isNewest: false }))).toMatchObject([
      { kind: 'upload', why: 'was rolled back' },
    ]);
    expect(diff(wanted, with_({ isNewest: false }))).toMatchObject([
      { kind: 'upload', why: expect.stringContaining('not the newest') },
    ]);
  });

  it('turns logs on again that somebody turned off, without a new version', () => {
    const wanted = desired(8);
    const account = deployed(wanted);
    const silent = { ...account.workers.get('tasklane-callback')!, settings: {} };
    const steps = diff(wanted, { ...account, workers: new Map([...account.workers, ['tasklane-callback', silent]]) });
    expect(steps).toMatchObject([{ kind: 'set-settings', worker: 'tasklane-callback', why: 'changed: observability' }]);
  });

  it('mends what was changed by hand: a consumer, a clock, an address', () => {
    const wanted = desired(8);
    const account = deployed(wanted);
    const worker = (name: string, more: Partial<AccountWorker>): [string, AccountWorker] => [
      name,
      { ...account.workers.get(name)!, ...more },
    ];
    const harmed = {
      ...account,
      workers: new Map([
        ...account.workers,
        worker('tasklane-callback', { crons: [] }),
        worker('tasklane-producer', { hasAddress: false }),
      ]),
      queues: new Map([
        ...account.queues,
        ['tasklane-tasks-0', { ...account.queues.get('tasklane-tasks-0')!, consumers: [] }] as const,
      ]),
    };
    expect(said(diff(wanted, harmed)).sort()).toEqual([
      'attach-queue tasklane-tasks-0',
      'set-address tasklane-producer',
      'set-crons tasklane-callback',
    ]);
  });
});

describe('growing', () => {
  const wanted = desired(20);
  const account = deployed(desired(8));

  it('lets nobody send to a shard before all new ones have consumers', () => {
    const steps = diff(wanted, account, { releaseOf: () => 'r2' });
    const attached = Math.max(at(steps, 'attach-queue tasklane-tasks-1'), at(steps, 'attach-queue tasklane-tasks-2'));
    const senders = steps.flatMap((step, index) =>
      step.kind === 'upload' && step.worker.config.queues.producers.some(({ queue }) => queue === 'tasklane-tasks-2')
        ? [{ index, name: step.worker.name }]
        : [],
    );
    const established = senders.filter(({ name }) => account.workers.has(name));
    expect(established.map(({ name }) => name).sort()).toEqual([
      'tasklane-callback',
      'tasklane-consumer-0',
      'tasklane-producer',
    ]);
    for (const { index } of established) expect(index).toBeGreaterThan(attached);
  });

  it('still deploys the callback Worker before the consumers that call it', () => {
    const steps = diff(wanted, account, { releaseOf: () => 'r2' });
    expect(at(steps, 'upload tasklane-callback')).toBeLessThan(at(steps, 'upload tasklane-consumer-1'));
    expect(said(steps).filter((step) => step === 'upload tasklane-callback')).toHaveLength(2);
  });
});

describe('shrinking', () => {
  const wanted = desired(8, [1, 2]);
  const steps = diff(wanted, deployed(desired(20)), {
    provided: new Set(KEYS(8)),
    releaseOf: ({ kind }) => (kind === 'consumer' ? 'r1' : 'r2'),
  });

  it('drains a shard only when nobody sends to it any more, and deletes what is empty', () => {
    for (const shard of [1, 2]) {
      const drain = at(steps, `drain-queue tasklane-tasks-${shard}`);
      expect(at(steps, 'upload tasklane-producer')).toBeLessThan(drain);
      expect(at(steps, 'upload tasklane-callback')).toBeLessThan(drain);
      expect(at(steps, `upload tasklane-consumer-${shard}`)).toBeLessThan(drain);
      expect(at(steps, `delete-queue tasklane-tasks-${shard}`)).toBeGreaterThan(drain);
      expect(at(steps, `delete-worker tasklane-consumer-${shard}`)).toBeGreaterThan(drain);
    }
  });

  it('takes the keys of a shard away once it is told that it has none', () => {
    expect(at(steps, 'remove-secrets tasklane-consumer-1')).toBeGreaterThan(at(steps, 'upload tasklane-consumer-1'));
  });

  it('finishes a removal that ended in the middle', () => {
    const account = deployed(desired(20));
    const gone = { ...account, queues: new Map([...account.queues].filter(([name]) => name !== 'tasklane-tasks-1')) };
    const rest = said(diff(desired(8, [1]), gone)).filter((step) => step.includes('-1'));
    expect(rest).toEqual(['delete-worker tasklane-consumer-1']);
  });
});

describe('secrets that are not given', () => {
  const wanted = desired(8);
  const account = deployed(wanted);

  it('stay', () => {
    expect(diff(wanted, account, { keepsKeys: true })).toEqual([]);
  });

  it('go when they are keys that are gone from the list', () => {
    const fewer = desired(7);
    const steps = diff(fewer, account, { provided: new Set(KEYS(7)) });
    const removed = steps.find((step) => step.kind === 'remove-secrets');
    expect(removed).toMatchObject({ worker: 'tasklane-consumer-0', names: ['KEY8'] });
  });

  it('go when they are set to nothing, but never one that is needed', () => {
    const emptied = new Set(['JWT_SECRET', 'JWT_SECRET_PREVIOUS']);
    const removed = diff(wanted, account, { emptied }).filter((step) => step.kind === 'remove-secrets');
    expect(removed).toEqual([expect.objectContaining({ worker: 'tasklane-producer', names: ['JWT_SECRET_PREVIOUS'] })]);
  });
});
