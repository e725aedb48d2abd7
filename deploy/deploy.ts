/**
 * `npm run deploy`: takes an account from whatever it has to what the plan wants. The plan is shown
 * first; `--plan` stops there. Progress goes to standard error, so that standard output is the result.
 */

import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { rehearse } from '../rehearse/command.ts';
import type { Services } from '../shared/service/definition.ts';
import { INLINE_LIMIT } from '../shared/task/content.ts';
import { reasonOf } from '../terminal/launch-error.ts';
import { parseOptions } from '../terminal/options.ts';
import { errorStyle } from '../terminal/style.ts';
import type { Account } from './account/account.ts';
import type { CloudflareApi } from './account/api.ts';
import { readAccount } from './account/read-account.ts';
import { hasAccess, openAccount } from './command/access.ts';
import { untilInterrupted } from './command/interrupt.ts';
import { estimateLines, planJson, planLines } from './command/show-plan.ts';
import { readPreview, wholeNumber } from './command/values.ts';
import { DeployError, StepError } from './deploy-error.ts';
import { refusalsIn } from './finding.ts';
import { generateSecrets } from './inputs/generated-secrets.ts';
import { ROOT } from './plan/plan-files.ts';
import { compare, type DeployRequest, inputsFor, type Prepared, resolvePlan } from './prepare.ts';
import { type Estimate, estimatePrice, parseLoad } from './price/estimate.ts';
import { checkedInputs, type Deployed, runDeploy } from './run.ts';
import { smoke } from './smoke/smoke.ts';
import { smokeLines } from './smoke/smoke-lines.ts';
import { buildUploads } from './upload/build-uploads.ts';

const HELP = `Deploys Tasklane to a Cloudflare account, again and again.

  npm run deploy -- --plan        what exists, what would be done, what it costs
  npm run deploy                  does it
  npm run deploy -- --smoke       does it, then sends tasks through and looks
  npm run deploy -- --preview N   a copy beside it: all keys on one shard, own
                                  queues and database
  npm run deploy -- --rehearse    all of it against a stub of the API, without
                                  an account

  --json                the result as JSON on standard output
  --load LOAD           for the price: 10/s, 500k/day, 2.5M/month (1M/month)
  --days N              for the stores: RETENTION_DAYS (30); and --body-days N,
                        BODY_RETENTION_DAYS (3)
  --polls N             for the price: polls per task (1)
  --large PERCENT       for the price: tasks whose payload and result are above
                        ${INLINE_LIMIT} and lie in the bucket (0)
  --messages N          for the price: messages to webhooks per task (0)
  --preview NAME        small letters, digits and dashes; removed again by
                        npm run destroy -- --preview NAME
  --generate-secrets    makes JWT_SECRET, ID_SECRET, CALLBACK_SECRET and
                        WEBHOOK_SECRET if missing;
                        .wrangler/secrets/ keeps them
  --drain-minutes N     how long a shard that goes is waited for (15)
  --force               removes such a shard after that time whatever is in its
                        queue, and says what is lost
  --repack              places the keys anew, as if none had a shard; by default
                        a key stays where it is
  --no-keys             takes all keys away; by default keys stay when none is
                        given
  --free                the account is on the free plan: its limits, and queues
                        that keep messages for a day
  --rehearse            with --faults some, all or none (some); --write renews
                        the table in docs/rehearsal.md
  --github-output FILE  appends url=…, as a step of a GitHub workflow tells its
                        result
  --help                this text

From the environment: CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID, PUBLIC_URL
(else the producer's own address), JWT_SECRET, ID_SECRET, CALLBACK_SECRET,
WEBHOOK_SECRET, each with _PREVIOUS, KEY1…, KEY_<POOL>_1…; or all of these in
TASKLANE_SECRETS as one JSON object, and keys as lines KEY1=… in TASKLANE_KEYS.
What is not given stays as it is in the account. docs/operating.md tells the
rest.`;

const DEFAULT_LOAD = '1M/month';

function readOptions() {
  const { values } = parseOptions({
    options: {
      plan: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      load: { type: 'string' },
      days: { type: 'string', default: '30' },
      'body-days': { type: 'string', default: '3' },
      polls: { type: 'string', default: '1' },
      large: { type: 'string', default: '0' },
      messages: { type: 'string', default: '0' },
      preview: { type: 'string' },
      'generate-secrets': { type: 'boolean', default: false },
      'drain-minutes': { type: 'string', default: '15' },
      force: { type: 'boolean', default: false },
      repack: { type: 'boolean', default: false },
      'no-keys': { type: 'boolean', default: false },
      free: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      rehearse: { type: 'boolean', default: false },
      faults: { type: 'string', default: 'some' },
      write: { type: 'boolean', default: false },
      'github-output': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return values;
}

type Options = ReturnType<typeof readOptions>;

function say(line: string): void {
  console.error(line);
}

/** What is wrong with an option is said before anything is read. */
function estimateFor(options: Options): (services: Services) => Estimate {
  const { load: text, polls, days, large, messages, 'body-days': bodyDays } = options;
  const load = parseLoad(text ?? DEFAULT_LOAD);
  if (load === undefined) throw new DeployError('--load is like 10/s, 500k/day or 2.5M/month');
  const lives = {
    days: wholeNumber('--days', days, 12, 3650),
    bodyDays: wholeNumber('--body-days', bodyDays, 0, 3650),
  };
  const largeShare = wholeNumber('--large', large, 0, 100) / 100;
  const pollsPerTask = wholeNumber('--polls', polls, 0, 1000);
  const messagesPerTask = wholeNumber('--messages', messages, 0, 100);
  return (services) => {
    const limitsCalls = Object.values(services).some(({ maxConcurrency }) => maxConcurrency !== undefined);
    return estimatePrice(load, pollsPerTask, lives, largeShare, messagesPerTask, limitsCalls);
  };
}

function requestOf(options: Options): DeployRequest {
  return {
    preview: readPreview(options.preview),
    repack: options.repack,
    noKeys: options['no-keys'],
    free: options.free,
    publicUrl: process.env.PUBLIC_URL,
  };
}

/** What a new account has. */
const EMPTY: Account = {
  subdomain: 'your-subdomain',
  workers: new Map(),
  queues: new Map(),
  databases: new Map(),
  buckets: new Set(),
  otherWorkers: 0,
};

async function showPlan(options: Options, signal: AbortSignal): Promise<void> {
  const request = requestOf(options);
  const estimateWith = estimateFor(options);
  const { inputs, family, name } = checkedInputs(request, process.env);
  const isKnown = hasAccess(process.env);
  const account = isKnown ? await readAccount(openAccount(process.env, signal, say), family, say) : EMPTY;
  const resolved = resolvePlan(request, inputs, account);
  const prepared = compare(resolved, inputs, await buildUploads(resolved.plan, name));
  const estimate = estimateWith(prepared.services);
  if (options.json) return console.log(JSON.stringify(planJson(prepared, estimate), undefined, 2));
  console.log(planLines(prepared).join('\n'));
  if (refusalsIn(prepared.findings).length > 0) process.exitCode = 1;
  console.log(`\n${estimateLines(estimate, options.load !== undefined).join('\n')}`);
  if (!isKnown) console.log('\nNo account was named (CLOUDFLARE_ACCOUNT_ID): this is for an empty one.');
}

async function deploy(options: Options, signal: AbortSignal): Promise<void> {
  const request = requestOf(options);
  const { name } = inputsFor(request, process.env);
  const secretsFile = path.join(ROOT, '.wrangler', 'secrets', `${name}.env`);
  const startedAt = performance.now();
  say(`${name}: reading the account and building …`);
  const api = openAccount(process.env, signal, say);
  const prepared = await runDeploy({
    api,
    request,
    environment: process.env,
    // A token is signed with it.
    known: options.smoke ? ['JWT_SECRET'] : [],
    build: (plan) => buildUploads(plan, name),
    generate: options['generate-secrets']
      ? (names) => {
          const made = generateSecrets(secretsFile, names);
          say(`made ${names.join(', ')}: they are in ${path.relative('.', secretsFile)}, readable by you alone`);
          return made;
        }
      : undefined,
    drain: {
      maxMs: wholeNumber('--drain-minutes', options['drain-minutes'], 0, 24 * 60) * 60_000,
      pollMs: 5_000,
      force: options.force,
    },
    say,
    signal,
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  say(`${prepared.steps.length} steps in ${seconds} s`);
  if (options['github-output'] !== undefined) appendFileSync(options['github-output'], `url=${prepared.publicUrl}\n`);
  if (options.smoke) await lookAt(prepared, api, signal);
  report(prepared, options.json);
}

/** Fails the command when anything is not as it should be. */
async function lookAt({ desired, publicUrl, secrets }: Deployed, api: CloudflareApi, signal: AbortSignal) {
  const jwtSecret = secrets.get('JWT_SECRET');
  if (jwtSecret === undefined) throw new DeployError('JWT_SECRET is not known');
  say('looking at what is deployed …');
  const checks = await smoke({ api, desired, publicUrl, jwtSecret, ask: fetch, say, signal });
  for (const line of smokeLines(checks)) say(line);
  if (checks.some(({ isGood }) => !isGood)) process.exitCode = 1;
}

function report({ plan, publicUrl, keys }: Prepared, asJson: boolean): void {
  if (asJson) console.log(JSON.stringify({ name: plan.name, url: publicUrl, shards: keys.shards }));
  else console.log(publicUrl);
}

async function rehearseAll({ faults, write }: Options, signal: AbortSignal): Promise<void> {
  if (!(await rehearse(faults, write, say, signal))) process.exitCode = 1;
}

const { signal, wasInterrupted } = untilInterrupted();
try {
  const options = readOptions();
  if (options.help) console.log(HELP);
  else if (options.rehearse) await rehearseAll(options, signal);
  else if (options.plan) await showPlan(options, signal);
  else await deploy(options, signal);
} catch (error) {
  const isInterrupted = wasInterrupted();
  console.error(`${errorStyle.red('deploy: ')}${isInterrupted ? 'stopped' : reasonOf(error)}`);
  if (error instanceof StepError || isInterrupted) {
    console.error('What was done before stands, and what is deployed works. Run the same command again to go on.');
  }
  process.exitCode = isInterrupted ? 130 : 1;
}
