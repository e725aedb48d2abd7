/** A whole deploy, and a whole removal: reads the account, decides, and does it. Used by the commands and rehearsed. */
import type { CloudflareApi } from './account/api.ts';
import { readAccount } from './account/read-account.ts';
import { applySteps } from './apply/apply.ts';
import type { DrainOptions } from './apply/drain.ts';
import { KnownIds } from './apply/known-ids.ts';
import { DeployError } from './deploy-error.ts';
import { heldElsewhereText } from './diff/lacking.ts';
import { removeAll } from './diff/remove-all.ts';
import type { Step } from './diff/step.ts';
import { findingText, refusalsIn } from './finding.ts';
import { checkStrength, SIGNING } from './inputs/inputs.ts';
import { SecretValues } from './inputs/secret-values.ts';
import type { Plan } from './plan/plan.ts';
import {
  compare,
  type DeployRequest,
  inputsFor,
  type MigrationsOf,
  type Prepared,
  type Resolved,
  resolvePlan,
} from './prepare.ts';
import type { Uploads } from './upload/build-uploads.ts';

/**
 * @param names those that are nowhere
 * @param found those that a Worker of the account has: never made, only found where an earlier run kept them
 */
export type Generate = (names: readonly string[], found: readonly string[]) => SecretValues;

export interface RunContext {
  readonly api: CloudflareApi;
  readonly request: DeployRequest;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly build: (plan: Plan) => Promise<Uploads>;
  /** Makes secrets that are needed and missing, and keeps them where they are found again. */
  readonly generate?: Generate | undefined;
  /** By default those of the tree. */
  readonly migrationsOf?: MigrationsOf | undefined;
  readonly drain: DrainOptions;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Deployed extends Prepared {
  /** Those that were given and those that were made. */
  readonly secrets: SecretValues;
}

/** @throws PlanError, DeployError, ApiError: what was done before stays and works */
export async function runDeploy(context: RunContext): Promise<Deployed> {
  const { api, request, environment, build, drain, say, signal } = context;
  const { inputs, family } = readChecked(request, environment);
  const account = await readAccount(api, family, say);
  const resolved = resolvePlan(request, inputs, account, context.migrationsOf);
  const refused = refusalsIn(resolved.findings);
  if (refused.length > 0) throw new DeployError(refused.map(findingText).join('; '));
  const values = inputs.values.over(generated(context.generate, resolved));
  const prepared = compare(resolved, { ...inputs, values }, await build(resolved.plan));
  const ids = new KnownIds(account);
  await applySteps({ api, family, ids, secrets: values, formOf: prepared.formOf, drain, say, signal }, prepared.steps);
  return { ...prepared, secrets: values };
}

/** Everything of a deployment, the public address first. @returns the steps that were done */
export async function runDestroy(
  context: Pick<RunContext, 'api' | 'request' | 'say' | 'signal'>,
  keepsDatabase: boolean,
): Promise<readonly Step[]> {
  const { api, request, say, signal } = context;
  const { family } = inputsFor(request, {});
  const account = await readAccount(api, family, say);
  const steps = removeAll(account, family, keepsDatabase);
  const formOf = () => {
    throw new DeployError('a removal uploads nothing');
  };
  // Nothing is drained: whoever removes everything has been told what is lost.
  const drain = { maxMs: 0, pollMs: 0, force: true };
  const ids = new KnownIds(account);
  await applySteps({ api, family, ids, secrets: new SecretValues(), formOf, drain, say, signal }, steps);
  return steps;
}

function readChecked(request: DeployRequest, environment: RunContext['environment']) {
  const found = inputsFor(request, environment);
  checkStrength(
    found.inputs.values,
    found.inputs.values.names.filter((name) => SIGNING.test(name)),
  );
  return found;
}

function generated(generate: Generate | undefined, { missing, unreadable }: Resolved): SecretValues {
  if (missing.length + unreadable.length === 0) return new SecretValues();
  const made = generate?.(
    missing.filter((secret) => SIGNING.test(secret)),
    unreadable.map(({ secret }) => secret),
  );
  const untold = unreadable.filter(({ secret }) => made?.has(secret) !== true);
  if (untold.length > 0) throw new DeployError(untold.map(heldElsewhereText).join('; '));
  const still = missing.filter((secret) => made?.has(secret) !== true);
  if (made !== undefined && still.length === 0) return made;
  throw new DeployError(
    `${still.join(', ')} ${still.length === 1 ? 'is' : 'are'} needed, not given, and not in the account; set ` +
      `${still.length === 1 ? 'it' : 'them'} in the environment${still.every((secret) => SIGNING.test(secret)) ? ' (32 random bytes or more each), or add --generate-secrets' : ''}`,
  );
}
