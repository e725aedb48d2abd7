/** What a deployment goes through in its life, each as a step from one account to the next. */
import type { DeployRequest, MigrationsOf } from '../deploy/prepare.ts';
import type { Upload, Uploads } from '../deploy/upload/build-uploads.ts';
import { exportsOf } from './exports.ts';
import type { FakeCloudflare } from './fake-cloudflare.ts';
import type { TransientOptions } from './transient.ts';

export interface Stage {
  readonly request: DeployRequest;
  readonly environment: Readonly<Record<string, string>>;
  /** Which release is deployed; the second differs from the first in every Worker. */
  readonly release?: 2;
  readonly destroys?: boolean;
  /** By default those of the tree. */
  readonly migrationsOf?: MigrationsOf;
  /** What happened in the account meanwhile. */
  readonly meanwhile?: (cloud: FakeCloudflare) => void | Promise<void>;
  /** What the account refuses now and not later. */
  readonly refuses?: TransientOptions;
}

export interface Scenario {
  readonly name: string;
  /** How the account came to be as the stage finds it. */
  readonly before: readonly Stage[];
  readonly stage: Stage;
}

/** As wrangler.toml names it. */
export const DEPLOYMENT = 'tasklane';

/** The database of a store. */
export function storeName(store: number): string {
  return store === 0 ? DEPLOYMENT : `${DEPLOYMENT}-store-${store}`;
}

export const SECRETS = {
  JWT_SECRET: 'rehearsal-jwt-secret-0123456789abcdef',
  ID_SECRET: 'rehearsal-id-secret-0123456789abcdef',
  CALLBACK_SECRET: 'rehearsal-callback-secret-0123456789abcdef',
  WEBHOOK_SECRET: 'rehearsal-webhook-secret-0123456789abcdef',
};

const ROTATED = { JWT_SECRET: 'rehearsal-jwt-secret-rotated-0123456789', JWT_SECRET_PREVIOUS: SECRETS.JWT_SECRET };

function keys(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`KEY${index + 1}`, `rehearsal-key-number-${index + 1}-of-default`]),
  );
}

const GEMINI = { KEY_GEMINI_1: 'rehearsal-key-of-gemini' };

/** Every value that may be in a secret and nowhere else. */
export const REHEARSED_SECRETS: readonly string[] = [
  ...Object.values({ ...SECRETS, ...GEMINI, ...keys(20) }),
  ...Object.values(ROTATED),
];

const small: Stage = { request: {}, environment: { ...SECRETS, ...keys(8), ...GEMINI } };
const large: Stage = { request: {}, environment: { ...SECRETS, ...keys(20), ...GEMINI } };
const preview: Stage = { request: { preview: 'pr-7' }, environment: { ...SECRETS, ...keys(20) } };

const fourStores: Stage = { ...small, request: { stores: 4 } };
const twoStores: Stage = { ...small, request: { stores: 2 } };

/** As if the stores that get no new tasks had been so for a month. */
export async function ageDrainingStores(cloud: FakeCloudflare): Promise<void> {
  for (const uuid of cloud.databases.keys()) {
    await cloud.query(uuid, `UPDATE scans SET position = '1' WHERE name = 'draining'`, []);
  }
}

const ONE_TASK = `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at)
  VALUES ('tsk_1', 'alice', 'echo', 'queued', 1, 1, 1, 1)`;

export const SCENARIOS: readonly Scenario[] = [
  { name: 'first deploy, 3 shards', before: [], stage: large },
  { name: 'the same again', before: [large], stage: large },
  {
    name: 'new release, secret rotated',
    before: [large],
    stage: { ...large, release: 2, environment: { ...large.environment, ...ROTATED } },
  },
  { name: 'grow to 3 shards, new release', before: [small], stage: { ...large, release: 2 } },
  { name: 'grow from 1 store to 4', before: [small], stage: fourStores },
  { name: 'shrink from 4 stores to 2', before: [fourStores], stage: twoStores },
  {
    name: 'take away empty stores',
    before: [fourStores, twoStores],
    stage: { ...twoStores, meanwhile: ageDrainingStores },
  },
  {
    name: 'keep a draining store with a task',
    before: [fourStores, twoStores],
    stage: {
      ...twoStores,
      meanwhile: async (cloud) => {
        await ageDrainingStores(cloud);
        for (const [uuid, { name }] of cloud.databases) {
          if (name.endsWith('-store-3')) await cloud.query(uuid, ONE_TASK, []);
        }
      },
    },
  },
  { name: 'grow to 4 stores again', before: [fourStores, twoStores], stage: fourStores },
  {
    name: 'shrink to 1 shard with messages',
    before: [large],
    stage: {
      ...small,
      meanwhile: (cloud) => {
        for (const queue of cloud.queues.values()) if (/-[12]$/.test(queue.name)) queue.backlog = 5;
      },
    },
  },
  {
    name: 'rolled back, deployed again',
    before: [large, { ...large, release: 2 }],
    stage: {
      ...large,
      release: 2,
      environment: { ...large.environment, ...ROTATED },
      meanwhile: (cloud) => {
        for (const name of ['tasklane-producer', 'tasklane-consumer-0']) cloud.script(name).rollBack();
      },
    },
  },
  {
    name: 'an account slow to learn',
    before: [],
    stage: { ...small, refuses: { settlesSlowly: true } },
  },
  { name: 'a preview beside it', before: [small], stage: preview },
  { name: 'remove the preview', before: [small, preview], stage: { ...preview, destroys: true } },
  { name: 'remove everything', before: [large], stage: { ...large, destroys: true } },
];

/** The second release: the same code, as a build would change it. */
export function secondRelease(uploads: Uploads): Uploads {
  const changed = ({ mainModule, files, hash }: Upload): Upload => ({
    mainModule,
    files: files.map(({ name, file }) =>
      name === mainModule
        ? { name, file: new File([file, '\n// release 2\n'], file.name, { type: file.type }) }
        : { name, file },
    ),
    hash: `${hash} release 2`,
  });
  return {
    producer: changed(uploads.producer),
    callback: changed(uploads.callback),
    consumer: changed(uploads.consumer),
  };
}

/**
 * Modules that export the same and do nothing. A deploy never looks into a module, so that thousands of
 * runs with faults need not carry megabytes; the runs without a fault upload the real ones.
 */
export async function hollow(uploads: Uploads): Promise<Uploads> {
  const emptied = async ({ mainModule, files, hash }: Upload): Promise<Upload> => {
    const source = (await files.find(({ name }) => name === mainModule)?.file.text()) ?? '';
    const lines = [...exportsOf(source)].map((name) =>
      name === 'default' ? 'export default {};' : `export class ${name} {}`,
    );
    const file = new File([lines.join('\n')], mainModule, { type: 'application/javascript+module' });
    return { mainModule, files: [{ name: mainModule, file }], hash };
  };
  return {
    producer: await emptied(uploads.producer),
    callback: await emptied(uploads.callback),
    consumer: await emptied(uploads.consumer),
  };
}
