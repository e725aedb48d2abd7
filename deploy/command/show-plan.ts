/** A plan for a person's eyes, and for a program's. Names only: no value of a secret is anywhere near. */

import { pad, style } from '../../terminal/style.ts';
import { type Step, targetOf } from '../diff/step.ts';
import type { Prepared } from '../prepare.ts';
import type { Estimate } from '../price/estimate.ts';

const SIGN: Readonly<Record<string, (text: string) => string>> = {
  '+': style.green,
  '~': style.yellow,
  '-': style.red,
};

/** What is new, what is changed, what is removed. */
function signOf(step: Step): '+' | '~' | '-' {
  switch (step.do) {
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

export function planLines({ plan, keys, steps, missing, publicUrl }: Prepared): string[] {
  const shards = keys.variables.map((own, shard) => `  ${shard}  ${describeKeys(own)}`);
  const going = plan.draining.map(({ name }) => `  ${name} goes, once its queue is empty`);
  return [
    `${style.bold(plan.name)}  ${publicUrl}`,
    '',
    style.bold(keys.shards === 1 ? '1 shard' : `${keys.shards} shards`),
    ...shards,
    ...going,
    '',
    style.bold(steps.length === 0 ? 'Nothing to do' : `${steps.length} steps`),
    ...steps.map(stepLine),
    ...(missing.length > 0 ? ['', style.red(`Missing secrets: ${missing.join(', ')}`)] : []),
  ];
}

function describeKeys(variables: readonly string[]): string {
  if (variables.length === 0) return style.dim('no keys');
  return `${variables.length} ${variables.length === 1 ? 'key' : 'keys'}  ${style.dim(variables.join(' '))}`;
}

function stepLine(step: Step): string {
  const sign = signOf(step);
  return `  ${SIGN[sign]?.(sign) ?? sign} ${pad(step.do, 15)} ${pad(targetOf(step), 36)} ${style.dim(step.why)}`;
}

export function estimateLines({ load, pollsPerTask, lines, totalDollars }: Estimate, isStated: boolean): string[] {
  const dollars = (value: number) => `$${value.toFixed(2)}`.padStart(10);
  const amount = (value: number) => value.toLocaleString('en-US').padStart(16);
  return [
    style.bold(`A month of ${load.text}`) +
      style.dim(
        ` (${load.tasksAMonth.toLocaleString('en-US')} tasks, ${pollsPerTask} ${pollsPerTask === 1 ? 'poll' : 'polls'} each)${isStated ? '' : '; state your own with --load'}`,
      ),
    ...lines.map((line) => `  ${pad(line.what, 24)}${amount(line.amount)}${dollars(line.dollars)}`),
    `  ${pad('the plan itself', 24)}${' '.repeat(16)}${dollars(5)}`,
    `  ${pad('all in', 24)}${' '.repeat(16)}${style.bold(dollars(totalDollars))}`,
    style.dim('  List prices, included amounts taken off; storage and backends left out.'),
  ];
}

/** The same for programs; stable names. */
export function planJson({ plan, keys, steps, missing, publicUrl }: Prepared, estimate: Estimate) {
  return {
    name: plan.name,
    url: publicUrl,
    shards: keys.variables.map((variables, shard) => ({ shard, keys: variables })),
    draining: plan.draining.map(({ name }) => name),
    steps: steps.map((step) => ({ sign: signOf(step), do: step.do, target: targetOf(step), why: step.why })),
    missingSecrets: missing,
    estimate: {
      load: estimate.load.text,
      tasksAMonth: estimate.load.tasksAMonth,
      pollsPerTask: estimate.pollsPerTask,
      dollarsAMonth: Number(estimate.totalDollars.toFixed(2)),
      parts: estimate.lines,
    },
  };
}
