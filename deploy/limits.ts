/**
 * What the platform does not take of a plan, said before anything is changed and with the way out. The numbers are those
 * of developers.cloudflare.com/workers/platform/limits and /queues/platform/limits, November 2026. Pure.
 */
import { bytesOf, MAX_VARIABLE_BYTES } from '../shared/service/variables.ts';
import type { Account } from './account/account.ts';
import type { Desired, DesiredWorker } from './desired.ts';
import type { Finding } from './finding.ts';

interface PlatformLimits {
  readonly variables: number;
  readonly workers: number;
  readonly crons: number;
  readonly retentionSeconds: number;
}

const PAID: PlatformLimits = { variables: 128, workers: 500, crons: 250, retentionSeconds: 14 * 86_400 };
const FREE: PlatformLimits = { variables: 64, workers: 100, crons: 5, retentionSeconds: 86_400 };

/** docs.github.com, "Using secrets in GitHub Actions": an environment holds as many. */
const GITHUB_ENVIRONMENT_SECRETS = 100;

/** The account's token and id beside what a deploy is given. */
const GITHUB_OWN_SECRETS = 1;

export interface LimitInput {
  readonly desired: Desired;
  readonly account: Account;
  /** The account is on the free plan. */
  readonly isFree: boolean;
  /** Names of all secrets that are given. */
  readonly provided: readonly string[];
}

export function limitFindings(input: LimitInput): Finding[] {
  const limits = input.isFree ? FREE : PAID;
  const { callback, consumers, producer } = input.desired;
  return [
    ...[callback, ...consumers, producer].flatMap((worker) => [
      ...largeVariables(worker),
      ...tooManyVariables(worker, input, limits),
    ]),
    ...accountFindings(input, limits),
    ...freePlanFindings(input),
    ...githubFindings(input),
  ];
}

function largeVariables({ name, kind, config }: DesiredWorker): Finding[] {
  // Every Worker has the same services: once is enough.
  const isTold = (variable: string) => variable.startsWith('SERVICES') && kind !== 'callback';
  return Object.entries(config.vars)
    .filter(([variable, value]) => bytesOf(value) > MAX_VARIABLE_BYTES && !isTold(variable))
    .map(([variable, value]) => ({
      kind: 'refused',
      about: `${name} ${variable}`,
      message: variable.startsWith('SERVICES')
        ? `the service ${Object.keys(value as object).join(', ')} takes ${inKilobytes(value)}, and a variable holds 5 KB; shorten it, or define it with PUT /api/services`
        : `takes ${inKilobytes(value)}, and a variable holds 5 KB; shorten it`,
    }));
}

function tooManyVariables(
  { name, kind, config, secrets }: DesiredWorker,
  { account, provided }: LimitInput,
  limits: PlatformLimits,
): Finding[] {
  const existing = account.workers.get(name)?.secrets;
  const held = secrets.filter((secret) => provided.includes(secret) || existing?.has(secret) === true).length;
  const count = Object.keys(config.vars).length + held;
  if (count <= limits.variables) return [];
  const remedy =
    kind === 'consumer'
      ? 'a shard holds 8 keys of each pool, so use fewer pools, or put some of them into a deployment of their own'
      : 'put services at run time instead (PUT /api/services)';
  const about = `${name} variables`;
  return [
    { kind: 'refused', about, message: `${count} with secrets, and a Worker has ${limits.variables}; ${remedy}` },
  ];
}

function accountFindings({ desired, account, isFree }: LimitInput, limits: PlatformLimits): Finding[] {
  const own = [desired.callback, ...desired.consumers, ...desired.draining, desired.producer];
  const workers = own.length + account.otherWorkers;
  const crons = own.reduce((sum, { config }) => sum + config.triggers.crons.length, 0);
  const plan = isFree ? 'the free plan' : 'an account';
  return [
    ...(workers > limits.workers
      ? [
          refusal(
            'Workers',
            `${own.length} beside ${account.otherWorkers} others, and ${plan} has ${limits.workers}; remove old previews (npm run destroy -- --preview NAME), or use fewer keys, eight of which need a shard`,
          ),
        ]
      : []),
    ...(crons > limits.crons
      ? [
          refusal(
            'cron triggers',
            `${crons}, and ${plan} has ${limits.crons}; the callback Worker cannot do without its own; a second deployment or a preview has as many again`,
          ),
        ]
      : []),
  ];
}

/** The last: developers.cloudflare.com/workers/platform/limits and /d1/platform/limits. */
function freePlanFindings({ desired, isFree }: LimitInput): Finding[] {
  if (!isFree) return [];
  const { retentionSeconds } = FREE;
  if (desired.retentionSeconds > retentionSeconds) {
    return [refusal('queues', `keep messages for ${retentionSeconds / 3600} h on the free plan, not longer`)];
  }
  return [
    {
      kind: 'warning',
      about: 'queues',
      message: 'keep messages for 24 h on the free plan: an outage of a day loses tasks that no consumer has seen',
    },
    {
      kind: 'warning',
      about: 'Workers',
      message:
        'have 10 ms of processor, 50 calls and 50 database queries an invocation on the free plan, and a database 500 MB: enough to try it out, too little for a load',
    },
  ];
}

function githubFindings({ provided }: LimitInput): Finding[] {
  if (provided.length + GITHUB_OWN_SECRETS <= GITHUB_ENVIRONMENT_SECRETS) return [];
  return [
    {
      kind: 'warning',
      about: 'GitHub',
      message: `an environment holds ${GITHUB_ENVIRONMENT_SECRETS} secrets, and these are ${provided.length + GITHUB_OWN_SECRETS}; put keys as lines KEY1=… into one secret, TASKLANE_KEYS`,
    },
  ];
}

function refusal(about: string, message: string): Finding {
  return { kind: 'refused', about, message };
}

function inKilobytes(value: unknown): string {
  return `${(bytesOf(value) / 1000).toFixed(1)} KB`;
}
