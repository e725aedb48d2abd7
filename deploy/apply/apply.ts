/**
 * Runs the steps of a deploy against the account, one after the other. Every step may be repeated; after
 * a failure, a crash or Ctrl-C the account works as far as it got, and the next run goes on from there.
 */

import type { NameFamily } from '../account/account.ts';
import type { CloudflareApi } from '../account/api.ts';
import { applyMigration } from '../account/database.ts';
import { readDatabases, readMigrations, readQueues } from '../account/read-account.ts';
import { DeployError, StepError } from '../deploy-error.ts';
import type { DesiredWorker } from '../desired.ts';
import { type Step, targetOf } from '../diff/step.ts';
import type { SecretValues } from '../inputs/secret-values.ts';
import { type DrainOptions, drainQueue } from './drain.ts';
import { attachQueue, createBucket, createDatabase, createQueue, detachQueue, ensured } from './resources.ts';
import {
  deleteWorker,
  putSecrets,
  removeSecrets,
  setAddress,
  setCrons,
  setDomains,
  type UploadForm,
  uploadWorker,
} from './workers.ts';

/** What is sent for a Worker, given its last migration and the databases that there are by now. */
export type FormOf = (
  worker: DesiredWorker,
  appliedTag: string | undefined,
  databaseIds: ReadonlyMap<string, string>,
) => UploadForm;

export interface ApplyContext {
  readonly api: CloudflareApi;
  readonly family: NameFamily;
  readonly secrets: SecretValues;
  readonly formOf: FormOf;
  readonly drain: DrainOptions;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** @throws StepError naming the step that failed and what to do; what came before it is done */
export async function applySteps(context: ApplyContext, steps: readonly Step[]): Promise<void> {
  for (const [index, step] of steps.entries()) {
    context.signal.throwIfAborted();
    context.say(
      `${String(index + 1).padStart(String(steps.length).length)}/${steps.length}  ${step.do} ${targetOf(step)}`,
    );
    try {
      await applyStep(context, step);
    } catch (error) {
      context.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      throw new StepError(`${step.do} ${targetOf(step)}: ${context.secrets.redact(reason)}`);
    }
  }
}

async function applyStep(context: ApplyContext, step: Step): Promise<void> {
  const { api, family } = context;
  switch (step.do) {
    case 'create-queue':
      return createQueue(api, family, step.queue);
    case 'create-bucket':
      return createBucket(api, step.bucket);
    case 'create-database':
      return createDatabase(api, family, step.database);
    case 'migrate':
      return migrate(context, step);
    case 'put-secrets':
      return putSecrets(api, step.worker, context.secrets, step.names);
    case 'remove-secrets':
      return removeSecrets(api, step.worker, step.names);
    case 'upload':
      return upload(context, step);
    case 'attach-queue':
      return attachQueue(api, family, step);
    case 'set-crons':
      return setCrons(api, step.worker, step.crons);
    case 'set-address':
      return setAddress(api, step.worker, step.enabled, step.previews);
    case 'set-domains':
      return setDomains(api, step.worker, step.domains);
    case 'drain-queue':
      return drainQueue(context, step.queue);
    case 'detach-queue':
      return detachQueue(api, family, step.queue);
    case 'delete-queue':
      return deleteQueue(context, step.queue);
    case 'delete-worker':
      return deleteWorker(api, step.worker);
    case 'delete-database':
      return deleteDatabase(context, step.database);
    case 'delete-bucket':
      return api.delete(`/r2/buckets/${step.bucket}`);
  }
}

async function upload(context: ApplyContext, { worker, appliedTag }: Extract<Step, { do: 'upload' }>): Promise<void> {
  const ids = await databaseIds(context);
  await uploadWorker(context.api, worker.name, appliedTag, (tag) => context.formOf(worker, tag, ids));
}

async function databaseIds({ api, family }: ApplyContext): Promise<Map<string, string>> {
  const databases = await readDatabases(api, family);
  return new Map([...databases.values()].map(({ name, id }) => [name, id]));
}

async function migrate(
  context: ApplyContext,
  { database, migration }: Extract<Step, { do: 'migrate' }>,
): Promise<void> {
  const id = (await databaseIds(context)).get(database);
  if (id === undefined) throw new DeployError('the database is gone');
  await ensured(
    () => applyMigration(context.api, id, migration),
    async () => (await readMigrations(context.api, id)).has(migration.name),
  );
}

async function deleteQueue({ api, family }: ApplyContext, name: string): Promise<void> {
  const queue = (await readQueues(api, family)).get(name);
  if (queue !== undefined) await api.delete(`/queues/${queue.id}`);
}

async function deleteDatabase(context: ApplyContext, name: string): Promise<void> {
  const id = (await databaseIds(context)).get(name);
  if (id !== undefined) await context.api.delete(`/d1/database/${id}`);
}
