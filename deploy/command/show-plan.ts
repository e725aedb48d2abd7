/** A plan for a person's eyes, and for a program's. Names only: no value of a secret is anywhere near. */

import { PLAN } from '../../shared/price/list.ts';
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import { headerSecretNames } from '../../shared/service/review.ts';
import { INLINE_LIMIT } from '../../shared/task/content.ts';
import { MAX_STORES } from '../../shared/task/id.ts';
import { pad, style } from '../../terminal/style.ts';
import { wrap } from '../../terminal/wrap.ts';
import { type HeldElsewhere, heldElsewhereText } from '../diff/lacking.ts';
import { type Step, targetOf } from '../diff/step.ts';
import { type Finding, findingText } from '../finding.ts';
import { SIGNING } from '../inputs/inputs.ts';
import type { Prepared } from '../prepare.ts';
import { type Estimate, ROWS_OF_A_PLACE } from '../price/estimate.ts';
import { LARGE_MEGABYTES } from '../price/large-bodies.ts';

const SIGN: Readonly<Record<string, (text: string) => string>> = {
  '+': style.green,
  '~': style.yellow,
  '-': style.red,
};

/** What is new, what is changed, what is removed. */
function signOf(step: Step): '+' | '~' | '-' {
  switch (step.kind) {
    case 'create-queue':
    case 'create-bucket':
    case 'create-database':
    case 'migrate':
      return '+';
    case 'upload':
      return step.why === 'does not exist' ? '+' : '~';
    case 'put-secrets':
    case 'set-settings':
    case 'attach-queue':
    case 'set-crons':
    case 'set-address':
    case 'set-domains':
    case 'drain-store':
    case 'refill-store':
      return '~';
    case 'remove-secrets':
    case 'drain-queue':
    case 'detach-queue':
    case 'delete-queue':
    case 'delete-worker':
    case 'delete-database':
    case 'delete-bucket':
      return '-';
  }
}

export function planLines(prepared: Prepared): string[] {
  const { plan, keys, steps, missing, unreadable, publicUrl, findings } = prepared;
  const shards = keys.variables.flatMap((own, shard) => keyLines(own, shard));
  const stores = prepared.desired.databases.length;
  const drained = [...prepared.desired.drainingDatabases].map((name) => `  ${name} goes, once its last task is gone`);
  const going = plan.draining.map(({ name }) => `  ${name} goes, once its queue is empty`);
  return [
    `${style.bold(plan.name)}  ${publicUrl}`,
    '',
    style.bold(keys.shards === 1 ? '1 shard' : `${keys.shards} shards`),
    ...shards,
    ...going,
    ...(stores > 1 ? ['', style.bold(`${stores} stores`), ...drained] : []),
    '',
    ...serviceLines(prepared),
    '',
    stepsTitle(steps),
    ...shownSteps(steps).flatMap(stepLines),
    ...(missing.length > 0 ? ['', ...missingLines(missing)] : []),
    ...(unreadable.length > 0 ? ['', ...unreadable.flatMap(unreadableLines)] : []),
    ...(findings.length > 0 ? ['', ...findings.flatMap(findingLines)] : []),
  ];
}

function keyLines(variables: readonly string[], shard: number): string[] {
  if (variables.length === 0) return [`  ${shard}  ${style.dim('no keys')}`];
  const count = `${variables.length} ${variables.length === 1 ? 'key' : 'keys'}`;
  return wrap(`  ${shard}  ${count}  ${variables.join(' ')}`, 13);
}

/** Each with what its calls need: where they go, whose keys, which secrets. */
function serviceLines({ services }: Prepared): string[] {
  const entries = Object.entries(services);
  if (entries.length === 0) {
    return [
      style.bold('No services'),
      ...wrap('  Describe backends in wrangler.toml (docs/services.md), or put them at run time.', 2),
    ];
  }
  return [
    style.bold(entries.length === 1 ? '1 service' : `${entries.length} services`),
    ...entries.flatMap(([name, service]) => {
      const pool = service.keyPool === undefined ? [] : [`keys of ${service.keyPool}`];
      const secrets = headerSecretNames({ [name]: service });
      const held = secrets.length === 0 ? [] : [`secrets ${secrets.join(', ')}`];
      return wrap(`  ${name}  ${[targetText(service), ...pool, ...held].join('; ')}`, 4);
    }),
  ];
}

function targetText({ baseUrl, binding }: ServiceDefinition): string {
  if (baseUrl !== undefined) return baseUrl;
  return binding === undefined ? 'servers that register' : `the Worker behind ${binding}`;
}

function missingLines(missing: readonly string[]): string[] {
  const canBeMade = missing.filter((name) => SIGNING.test(name));
  const made = canBeMade.length === 0 ? '' : `; --generate-secrets makes ${canBeMade.join(', ')}`;
  return wrap(`Missing secrets: ${missing.join(', ')}. Set them in the environment${made}.`, 2).map(style.red);
}

/** Never made anew; an earlier run may have kept it where the deploy finds it. */
function unreadableLines(held: HeldElsewhere): string[] {
  return wrap(`Missing secret ${heldElsewhereText(held)}.`, 2).map(style.red);
}

function findingLines(finding: Finding): string[] {
  const isRefused = finding.kind === 'refused';
  const paint = isRefused ? style.red : style.yellow;
  return wrap(`${isRefused ? 'Cannot be deployed' : 'Mind'}: ${findingText(finding)}`, 2).map(paint);
}

interface ShownStep {
  readonly sign: ReturnType<typeof signOf>;
  readonly what: string;
  readonly target: string;
  readonly why: string;
}

function stepsTitle({ length }: readonly Step[]): string {
  if (length === 0) return style.bold('Nothing to do');
  return style.bold(length === 1 ? '1 step' : `${length} steps`) + style.dim('  (+ new, ~ set or changed, - removed)');
}

/** The migrations of a database are one line: there are dozens of them, and more for each store. */
function shownSteps(steps: readonly Step[]): ShownStep[] {
  return steps.flatMap((step): ShownStep[] => {
    const shown = { sign: signOf(step), what: step.kind, target: targetOf(step), why: step.why };
    if (step.kind !== 'migrate') return [shown];
    const all = steps.filter((other) => other.kind === 'migrate' && other.database === step.database);
    if (all.length === 1) return [shown];
    if (all[0] !== step) return [];
    const last = all.at(-1);
    const name = last?.kind === 'migrate' ? last.migration.name : '';
    return [{ ...shown, target: step.database, why: `${all.length} migrations, up to ${name}` }];
  });
}

/** The reason beside the step where there is room, else below it. */
function stepLines({ sign, what, target, why }: ShownStep): string[] {
  const line = `${pad(what, 16)}${pad(target, 32)}`;
  const colored = (SIGN[sign] ?? String)(sign);
  if (target.length <= 32 && line.length + 5 + why.length <= 80) return [`  ${colored} ${line} ${style.dim(why)}`];
  return [`  ${colored} ${line.trimEnd()}`, ...wrap(`      ${why}`, 6).map(style.dim)];
}

export function estimateLines(
  { load, pollsPerTask, lines, totalDollars, storage }: Estimate,
  isStated: boolean,
): string[] {
  const dollars = (value: number) => `$${value.toFixed(2)}`.padStart(10);
  const amount = (value: number) => value.toLocaleString('en-US').padStart(16);
  const tasks = `${load.tasksAMonth.toLocaleString('en-US')} tasks, ${pollsPerTask} ${pollsPerTask === 1 ? 'poll' : 'polls'} each`;
  return [
    style.bold(`A month of ${load.text}`) + style.dim(` (${tasks})`),
    ...lines.map((line) => `  ${pad(line.what, 26)}${amount(line.amount)}${dollars(line.dollars)}`),
    `  ${pad('the plan itself', 26)}${' '.repeat(16)}${dollars(PLAN)}`,
    `  ${pad('all in', 26)}${' '.repeat(16)}${style.bold(dollars(totalDollars))}`,
    ...wrap(`  ${storesText(storage.stores)}`, 4),
    ...TERMS.flatMap((term) => wrap(`  ${term}`, 4)).map(style.dim),
    ...(isStated ? [] : [style.dim('  State your own load: --load 10/s, 500k/day or 2.5M/month')]),
  ];
}

function storesText(stores: number): string {
  if (stores === 1) return 'One store holds it.';
  if (stores > MAX_STORES) {
    return `${stores} stores would hold it, and there are at most ${MAX_STORES}: shorten BODY_RETENTION_DAYS or RETENTION_DAYS.`;
  }
  return `${stores} stores hold it: STORES = "${stores}" in wrangler.toml. What more of them cost is their storage alone.`;
}

/** What the words of the table mean, and what it leaves out. */
const TERMS: readonly string[] = [
  'Queue operation: a message of up to 64 KB written, read, or deleted.',
  'Row: four are written for a task, when it is claimed, when it ends, when its bodies go, and when it is deleted after its retention. Polls and the rounds of each minute read.',
  'Durable Object request: a question to a pool of keys or to the registry of servers; every isolate asks for definitions, and ten are assumed. GB-s: gigabytes in memory times seconds; an object counts as 0.128 GB.',
  `Durable Object row: where a service here has maxConcurrency, ${ROWS_OF_A_PLACE} of each task, as if all were of such services and came in full batches; of one that comes alone ${10 * ROWS_OF_A_PLACE}. Flows write as many. Services that are put at run time are not counted.`,
  'Request: one to the API, a batch taken from a queue, or a round of a cron.',
  'Log line: one for each attempt; with invocation_logs in wrangler.toml one more for each request and call.',
  `R2: payloads and results above ${INLINE_LIMIT}, of --large PERCENT of the tasks, ${LARGE_MEGABYTES} MB each way.`,
  'Stored: tasks of 1 KB in and out, with bodies for --body-days and without for --days.',
  'List prices; what the plan includes is taken off each line. Your backends are left out, and so are messages to webhooks (a task more each) unless --messages counts them.',
];

/** The same for programs; stable names. */
export function planJson(prepared: Prepared, estimate: Estimate) {
  const { plan, keys, steps, missing, unreadable, publicUrl, services, findings } = prepared;
  return {
    name: plan.name,
    url: publicUrl,
    shards: keys.variables.map((variables, shard) => ({ shard, keys: variables })),
    draining: plan.draining.map(({ name }) => name),
    steps: steps.map((step) => ({ sign: signOf(step), do: step.kind, target: targetOf(step), why: step.why })),
    services: Object.entries(services).map(([name, service]) => ({
      name,
      target: targetText(service),
      pool: service.keyPool,
      secrets: headerSecretNames({ [name]: service }),
    })),
    findings,
    missingSecrets: [...missing, ...unreadable.map(({ secret }) => secret)],
    estimate: {
      load: estimate.load.text,
      tasksAMonth: estimate.load.tasksAMonth,
      pollsPerTask: estimate.pollsPerTask,
      dollarsAMonth: Number(estimate.totalDollars.toFixed(2)),
      parts: estimate.lines,
    },
  };
}
