/**
 * Runs the steps of a deploy against the account, one after the other. Every step may be repeated; after
 * a failure, a crash or Ctrl-C the account works as far as it got, and the next run goes on from there.
 */
import { applyMigration, noteDraining } from '../account/database.ts';
import { readMigrations } from '../account/read-account.ts';
import { StepError } from '../deploy-error.ts';
import type { DesiredWorker } from '../desired.ts';
import { type Step, targetOf } from '../diff/step.ts';
import type { SecretValues } from '../inputs/secret-values.ts';
import { type DrainOptions, drainQueue } from './drain.ts';
import {
  attachQueue,
  createBucket,
  createDatabase,
  createQueue,
  deleteBucket,
  detachQueue,
  ensured,
  type ResourceContext,
} from './resources.ts';
import {
  deleteWorker,
  putSecrets,
  removeSecrets,
  setAddress,
  setCrons,
  setDomains,
  setSettings,
  type UploadForm,
  uploadWorker,
} from './workers.ts';

/** What is sent for a Worker. */
export type FormOf = (what: {
  readonly worker: DesiredWorker;
  /** Its last migration. */
  readonly appliedTag: string | undefined;
  /** Names of the secrets that the upload carries. */
  readonly secrets: readonly string[];
  readonly secretOf: (secret: string) => string | undefined;
  /** The databases that there are by now. */
  readonly databaseIds: ReadonlyMap<string, string>;
}) => UploadForm;

export interface ApplyContext extends ResourceContext {
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
      `${String(index + 1).padStart(String(steps.length).length)}/${steps.length}  ${step.kind} ${targetOf(step)}`,
    );
    try {
      await applyStep(context, step);
    } catch (error) {
      context.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      throw new StepError(`${step.kind} ${targetOf(step)}: ${context.secrets.redact(reason)}`);
    }
  }
}

async function applyStep(context: ApplyContext, step: Step): Promise<void> {
  const { api, ids } = context;
  switch (step.kind) {
    case 'create-queue':
      return createQueue(context, step);
    case 'create-bucket':
      return createBucket(api, step.bucket);
    case 'create-database':
      return createDatabase(context, step.database);
    case 'migrate':
      return migrate(context, step);
    case 'put-secrets':
      return putSecrets(api, step.worker, context.secrets, step.names);
    case 'remove-secrets':
      return removeSecrets(api, step.worker, step.names);
    case 'upload':
      return upload(context, step);
    case 'set-settings':
      return setSettings(api, step.worker, step.settings);
    case 'attach-queue':
      return attachQueue(context, step);
    case 'set-crons':
      return setCrons(api, step.worker, step.crons);
    case 'set-address':
      return setAddress(api, step.worker, step.enabled, step.previews);
    case 'set-domains':
      return setDomains(api, step.worker, step.domains);
    case 'drain-queue':
      return drainQueue(context, step.queue);
    case 'detach-queue':
      return detachQueue(context, step.queue);
    case 'delete-queue':
      await api.delete(`/queues/${ids.queue(step.queue).id}`);
      return ids.forgetQueue(step.queue);
    case 'delete-worker':
      return deleteWorker(api, step.worker);
    case 'delete-database':
      return api.delete(`/d1/database/${ids.database(step.database)}`);
    case 'drain-store':
      return noteDraining(api, ids.database(step.database), Date.now());
    case 'refill-store':
      return noteDraining(api, ids.database(step.database), undefined);
    case 'delete-bucket':
      return deleteBucket(api, step.bucket);
  }
}

async function upload(
  { api, ids, formOf, secrets: values }: ApplyContext,
  { worker, appliedTag, secrets }: Extract<Step, { kind: 'upload' }>,
): Promise<void> {
  const secretOf = (name: string) => values.get(name);
  await uploadWorker(api, worker.name, appliedTag, (tag) =>
    formOf({ worker, appliedTag: tag, secrets, secretOf, databaseIds: ids.databases }),
  );
}

async function migrate(
  { api, ids }: ApplyContext,
  { database, migration }: Extract<Step, { kind: 'migrate' }>,
): Promise<void> {
  const id = ids.database(database);
  await ensured(
    api,
    () => applyMigration(api, id, migration),
    async () => (await readMigrations(api, id)).has(migration.name),
  );
}
