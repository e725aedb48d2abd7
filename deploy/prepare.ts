/**
 * All that is decided before anything is changed: places the keys beside those that the account has, makes
 * the plan, and compares. The same for a plan that is only shown and for a deploy.
 */
import { keyNameOf } from '../shared/key/name.ts';
import type { Services } from '../shared/service/definition.ts';
import { reviewServices, type ServiceSurroundings } from '../shared/service/review.ts';
import { type Account, type NameFamily, shardOf } from './account/account.ts';
import type { Migration } from './account/database.ts';
import type { FormOf } from './apply/apply.ts';
import { DeployError } from './deploy-error.ts';
import { type Desired, type DesiredWorker, desiredOf, familyOf } from './desired.ts';
import { diffAccount } from './diff/diff.ts';
import { type HeldElsewhere, lackingSecrets } from './diff/lacking.ts';
import type { Step } from './diff/step.ts';
import type { Finding } from './finding.ts';
import { type Inputs, readInputs } from './inputs/inputs.ts';
import { limitFindings } from './limits.ts';
import { type KeyPlacement, type KeyPlan, planKeys } from './plan/key-plan.ts';
import { type Plan, storesOf } from './plan/plan.ts';
import { readMigrationFiles, readPlan } from './plan/plan-files.ts';
import { secretNames } from './plan/secret-names.ts';
import { servicesOf, surroundingsOf } from './plan/services.ts';
import { releaseOf, type Uploads, uploadOf } from './upload/build-uploads.ts';
import {
  pendingMigrations,
  releaseAnnotations,
  secretBindings,
  versionMetadata,
  wholeSettings,
} from './upload/metadata.ts';

export interface DeployRequest {
  /** A copy beside the first, with all keys on one shard. */
  readonly preview?: string | undefined;
  /** Databases that hold the tasks; by default what wrangler.toml says. */
  readonly stores?: number;
  /** Keys are placed anew, as if none had a place. */
  readonly repack?: boolean;
  /** That no key is given means that there are to be none. */
  readonly noKeys?: boolean;
  /** The account is on the free plan, whose limits are lower. */
  readonly free?: boolean;
  /** The producer's public address, if not its domain or its workers.dev address. */
  readonly publicUrl?: string | undefined;
}

/** What is wanted, as far as it can be said without building anything. */
export interface Resolved {
  readonly plan: Plan;
  readonly keys: KeyPlan;
  readonly desired: Desired;
  readonly account: Account;
  /** No key is given: those that the account has stay. */
  readonly keepsKeys: boolean;
  /** Secrets that are needed and come from nowhere. */
  readonly missing: readonly string[];
  /** Secrets that a Worker needs, and that only another one has. */
  readonly unreadable: readonly HeldElsewhere[];
  readonly publicUrl: string;
  readonly services: Services;
  /** What is wrong with it, or may be. */
  readonly findings: readonly Finding[];
}

export interface Prepared extends Resolved {
  readonly steps: readonly Step[];
  readonly formOf: FormOf;
}

/** What the environment gives to a deployment of this shape. */
export function inputsFor(
  { preview }: DeployRequest,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly inputs: Inputs; readonly family: NameFamily; readonly name: string } {
  const plan = readPlan({ shards: 1, preview });
  const wanted = [...secretNames(plan, planKeys([])).values()].flat();
  return { inputs: readInputs(environment, wanted), family: familyOf(plan), name: plan.name };
}

/** By database name. */
export type MigrationsOf = (plan: Plan) => ReadonlyMap<string, readonly Migration[]>;

/** @param migrationsOf those of the tree, unless a rehearsal has others */
export function resolvePlan(
  request: DeployRequest,
  inputs: Inputs,
  account: Account,
  migrationsOf: MigrationsOf = readMigrationFiles,
): Resolved {
  const family = familyOf(readPlan({ shards: 1, preview: request.preview }));
  const placement = placementIn(account, family);
  const keepsKeys = inputs.keys.length === 0 && request.noKeys !== true;
  const keys = planKeys(
    keepsKeys ? [...placement.keys()] : inputs.keys,
    request.preview === undefined ? undefined : 1,
    request.repack === true ? undefined : placement,
  );
  const publicUrl = publicUrlOf(request, account);
  const stores = request.stores ?? storesOf(readPlan({ shards: 1, preview: request.preview }).producer);
  const plan = readPlan({
    shards: keys.shards,
    stores,
    drainingStores: drainingStoresIn(account, family, stores, Date.now()),
    draining: shardsIn(account, family).filter((shard) => shard >= keys.shards),
    preview: request.preview,
    vars: {
      PUBLIC_URL: publicUrl,
      KEY_SHARDS: keys.shardsOfPool,
      ...(request.free === true && { STORE_LIMIT_BYTES: String(FREE_STORE_BYTES) }),
    },
  });
  const desired = desiredOf(plan, secretNames(plan, keys), migrationsOf(plan), request.free === true);
  const workers = [desired.callback, ...desired.consumers, desired.producer];
  const lacking = lackingSecrets(workers, account.workers, new Set(inputs.values.names), inputs.emptied);
  const services = servicesOf(plan);
  const hasSecret = (name: string) =>
    inputs.values.has(name) ||
    lacking.elsewhere.some(({ secret }) => secret === name) ||
    desired.consumers.every((worker) => account.workers.get(worker.name)?.secrets.has(name));
  const findings = [
    ...serviceFindings(services, surroundingsOf(plan, keys, hasSecret, false)),
    ...limitFindings({ desired, account, isFree: request.free === true, provided: inputs.values.names }),
    ...lacking.findings,
  ];
  const { nowhere: missing, elsewhere: unreadable } = lacking;
  return { plan, keys, desired, account, keepsKeys, missing, unreadable, publicUrl, services, findings };
}

function serviceFindings(services: Services, around: ServiceSurroundings): Finding[] {
  return reviewServices(services, around).map(({ kind, path, message }) => ({
    kind,
    about: ['SERVICES', ...path].join('.'),
    message,
  }));
}

/** Compares what is wanted with what the account has, down to the code. */
export function compare(resolved: Resolved, inputs: Inputs, uploads: Uploads): Prepared {
  const { desired, account, keepsKeys } = resolved;
  const metadataOf = ({ config, kind }: DesiredWorker, databaseIds: ReadonlyMap<string, string>) => {
    const upload = uploadOf(uploads, kind);
    return { upload, metadata: versionMetadata(config, upload.mainModule, databaseIds) };
  };
  const ids = new Map([...account.databases.values()].map(({ name, id }) => [name, id]));
  const steps = diffAccount({
    desired,
    account,
    provided: new Set(inputs.values.names),
    emptied: inputs.emptied,
    keepsKeys,
    releaseOf: (worker) => {
      const { upload, metadata } = metadataOf(worker, ids);
      return releaseOf(upload, metadata);
    },
  });
  const formOf: FormOf = ({ worker, appliedTag, secrets, databaseIds, secretOf }) => {
    const { upload, metadata } = metadataOf(worker, databaseIds);
    const migrations = pendingMigrations(worker.config, appliedTag);
    return {
      metadata: {
        ...metadata,
        ...wholeSettings(worker.config),
        bindings: [...metadata.bindings, ...secretBindings(secrets, secretOf)],
        annotations: releaseAnnotations(releaseOf(upload, metadata)),
        ...(migrations !== undefined && { migrations }),
      },
      files: upload.files,
    };
  };
  return { ...resolved, steps, formOf };
}

/** Of one database (developers.cloudflare.com/d1/platform/limits); without a word of it the Workers count on the paid plan's. */
const FREE_STORE_BYTES = 500_000_000;

/** Where keys are: the consumers' secrets say it. A key in two places counts where it was first. */
function placementIn({ workers }: Account, { consumerPrefix }: NameFamily): KeyPlacement {
  const placement = new Map<string, number>();
  const consumers = [...workers.values()]
    .flatMap(({ name, secrets }) => {
      const shard = shardOf(name, consumerPrefix);
      return shard === undefined ? [] : [{ shard, secrets }];
    })
    .sort((a, b) => a.shard - b.shard);
  for (const { shard, secrets } of consumers) {
    for (const secret of secrets) {
      if (keyNameOf(secret) !== undefined && !placement.has(secret)) placement.set(secret, shard);
    }
  }
  return placement;
}

/** Numbers of the shards of which anything exists. */
function shardsIn({ workers, queues }: Account, { consumerPrefix, queuePrefix }: NameFamily): number[] {
  const shards = [
    ...[...workers.keys()].map((name) => shardOf(name, consumerPrefix)),
    ...[...queues.keys()].map((name) => shardOf(name, queuePrefix)),
  ];
  return [...new Set(shards)].filter((shard) => shard !== undefined).sort((a, b) => a - b);
}

/** A message lives four days at most in a queue; a task is recorded by then, or was never accepted. */
const MESSAGES_GONE_MS = 5 * 86_400_000;

/** Numbers of the stores above those that are wanted, but for those whose last task is gone. */
function drainingStoresIn({ databases }: Account, { storePrefix }: NameFamily, stores: number, now: number): number[] {
  return [...databases.values()].flatMap(({ name, draining }) => {
    const store = shardOf(name, storePrefix);
    if (store === undefined || store < stores) return [];
    const isGone = draining?.isEmpty === true && now - draining.since >= MESSAGES_GONE_MS;
    return isGone ? [] : [store];
  });
}

/** @throws DeployError when the account has no address to give */
function publicUrlOf({ preview, publicUrl }: DeployRequest, { subdomain }: Account): string {
  if (publicUrl) return publicUrl;
  const { producer } = readPlan({ shards: 1, preview });
  const [domain] = producer.routes;
  if (preview === undefined) {
    if (producer.vars.PUBLIC_URL) return String(producer.vars.PUBLIC_URL);
    if (domain !== undefined) return `https://${domain.pattern}`;
  }
  if (subdomain === undefined) {
    throw new DeployError(
      'the account has no workers.dev subdomain; open Workers in the dashboard once to get one, or set PUBLIC_URL ' +
        'and a custom domain in wrangler.toml',
    );
  }
  return `https://${producer.name}.${subdomain}.workers.dev`;
}
