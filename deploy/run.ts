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

export interface RunContext {
  readonly api: CloudflareApi;
  readonly request: DeployRequest;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly build: (plan: Plan) => Promise<Uploads>;
  /** Makes secrets that are needed and nowhere, and keeps them where they are found again. */
  readonly generate?: ((names: readonly string[]) => SecretValues) | undefined;
  /** Secrets whose values are needed after the deploy, whether or not the account has them. */
  readonly known?: readonly string[];
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
  const { inputs, family } = checkedInputs(request, environment);
  const account = await readAccount(api, family, say);
  const resolved = resolvePlan(request, inputs, account, context.migrationsOf);
  const refused = refusalsIn(resolved.findings);
  if (refused.length > 0) throw new DeployError(refused.map(findingText).join('; '));
  const values = inputs.values.over(generated(context, inputs.values, resolved));
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

/** @throws PlanError as `inputsFor`, and for secrets that are too short to sign with */
export function checkedInputs(request: DeployRequest, environment: RunContext['environment']) {
  const found = inputsFor(request, environment);
  checkStrength(
    found.inputs.values,
    found.inputs.values.names.filter((name) => SIGNING.test(name)),
  );
  return found;
}

function generated(
  { generate, known = [] }: RunContext,
  provided: SecretValues,
  { missing, unreadable }: Resolved,
): SecretValues {
  // What a Worker has is never made anew, nor taken from where an earlier run kept it: it may have been rotated since.
  if (unreadable.length > 0) throw new DeployError(unreadable.map(heldElsewhereText).join('; '));
  const untold = known.filter((secret) => !provided.has(secret) && !missing.includes(secret));
  if (untold.length > 0) {
    throw new DeployError(
      `${untold.join(', ')} must be in the environment as it is in the account, which tells no values: --smoke signs a token with it`,
    );
  }
  if (missing.length === 0) return new SecretValues();
  const made = generate?.(missing.filter((secret) => SIGNING.test(secret)));
  const still = missing.filter((secret) => made?.has(secret) !== true);
  if (made !== undefined && still.length === 0) return made;
  throw new DeployError(
    `${still.join(', ')} ${still.length === 1 ? 'is' : 'are'} needed, not given, and not in the account; set ` +
      `${still.length === 1 ? 'it' : 'them'} in the environment${still.every((secret) => SIGNING.test(secret)) ? ' (32 random bytes or more each), or add --generate-secrets' : ''}`,
  );
}
