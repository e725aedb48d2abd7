/**
 * What the workflows must keep to beyond their syntax: least permissions, pinned actions, nothing from
 * outside inside a script, secrets in the one step that needs them, and no script that does not exist. Pure.
 */
import { type Document, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import * as z from 'zod';

const StepSchema = z.looseObject({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
});

const PermissionsSchema = z.union([z.record(z.string(), z.enum(['read', 'write', 'none'])), z.string()]);

const JobSchema = z.looseObject({
  if: z.string().optional(),
  needs: z.unknown().optional(),
  'timeout-minutes': z.number().optional(),
  permissions: PermissionsSchema.optional(),
  environment: z.unknown().optional(),
  env: z.unknown().optional(),
  steps: z.array(StepSchema).default([]),
});

const WorkflowSchema = z.looseObject({
  on: z.union([z.string(), z.array(z.string()), z.record(z.string(), z.unknown())]),
  permissions: PermissionsSchema.optional(),
  concurrency: z.unknown().optional(),
  env: z.unknown().optional(),
  jobs: z.record(z.string(), JobSchema),
});

type Workflow = z.infer<typeof WorkflowSchema>;
type Job = z.infer<typeof JobSchema>;

/** An action of a commit, its tag beside it; or an exact tag. */
const COMMIT = /^[\w./-]+@[0-9a-f]{40}$/;
const EXACT_TAG = /^[\w./-]+@v\d+\.\d+\.\d+$/;
const TAG_COMMENT = /^\s*v\d+\.\d+\.\d+$/;

/** The request's own commit, which stays readable when its branch is gone. */
const HEAD_OF_REQUEST = `refs/pull/\${{ github.event.number }}/head`;

/** A script of package.json that a command runs. */
const NPM_SCRIPT = /\bnpm\s+(?:(?:run|run-script)\s+(?:-\S+\s+)*([\w:-]+)|(test|start))/g;

/** @returns one line a problem */
export function workflowProblems(source: string, scripts: ReadonlySet<string>): string[] {
  const document = parseDocument(source);
  if (document.errors.length > 0) return document.errors.map(({ message }) => message.split('\n')[0] ?? message);
  const parsed = WorkflowSchema.safeParse(document.toJS());
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const workflow = parsed.data;
  return [
    ...topProblems(workflow),
    ...Object.entries(workflow.jobs).flatMap(([name, job]) =>
      [...jobProblems(job, scripts), ...runProblems(job, eventsOf(workflow))].map(
        (problem) => `jobs.${name}: ${problem}`,
      ),
    ),
    ...pinProblems(document),
  ];
}

function topProblems({ on, permissions, concurrency, env }: Workflow): string[] {
  const events = eventsOf({ on });
  return [
    ...(events.includes('pull_request_target') ? ['pull_request_target runs a stranger’s code with secrets'] : []),
    ...(permissions === undefined ? ['no permissions: the token gets all of them'] : []),
    ...(grantsWrite(permissions) ? ['permissions to write belong to the job that needs them'] : []),
    ...(concurrency === undefined ? ['no concurrency: two runs may meet'] : []),
    ...(holdsSecrets(env) ? ['secrets in the environment of every job; give them to the step that needs them'] : []),
  ];
}

function eventsOf({ on }: Pick<Workflow, 'on'>): string[] {
  return typeof on === 'string' ? [on] : Array.isArray(on) ? on : Object.keys(on);
}

/** Runs that could only fail, or deploy what nobody merged. */
function runProblems({ steps, if: condition = '', needs }: Job, events: readonly string[]): string[] {
  if (!steps.some(holdsSecrets)) return [];
  const isTriggered = events.some((event) => event === 'push' || event.startsWith('pull_request'));
  // Whoever needs a job that is left out is left out too.
  const dependabot =
    isTriggered && needs === undefined && !condition.includes("github.actor != 'dependabot[bot]'")
      ? ["Dependabot's runs get no secrets and must fail: if: github.actor != 'dependabot[bot]'"]
      : [];
  const branch =
    events.includes('workflow_dispatch') && !/github\.ref == 'refs\/heads\/[\w./-]+'/.test(condition)
      ? ["workflow_dispatch takes any branch: if: github.ref == 'refs/heads/main'"]
      : [];
  // With another way in, neither condition keeps anybody out.
  const eitherWay = condition.includes('||') ? ['the condition of a job with secrets has another way in: no ||'] : [];
  return [...dependabot, ...branch, ...eitherWay, ...removalProblems(steps, events)];
}

/** A removal that does not know what the request added would leave it behind. */
function removalProblems(steps: Job['steps'], events: readonly string[]): string[] {
  const removes = steps.some(({ run }) => /\bnpm run (?:-\S+ )*destroy\b/.test(run ?? ''));
  if (!removes || !events.includes('pull_request')) return [];
  const knows = steps.some(
    ({ uses, with: inputs }) =>
      uses?.startsWith('actions/checkout@') && /^refs\/pull\/.+\/head$/.test(String(inputs.ref ?? '')),
  );
  return knows ? [] : [`destroy of another commit leaves what the request added: ref: ${HEAD_OF_REQUEST}`];
}

function jobProblems({ steps, permissions, environment, env, ...job }: Job, scripts: ReadonlySet<string>): string[] {
  const usesSecrets = steps.some(holdsSecrets);
  return [
    ...(job['timeout-minutes'] === undefined ? ['no timeout-minutes'] : []),
    ...(typeof permissions === 'string' ? [`permissions: ${permissions} is too much`] : []),
    ...(holdsSecrets(env) ? ['secrets in the environment of every step; give them to the step that needs them'] : []),
    ...(usesSecrets && environment === undefined ? ['secrets outside an environment'] : []),
    ...steps.flatMap(({ uses, run, with: inputs }) => [
      ...(uses?.startsWith('actions/checkout@') && inputs['persist-credentials'] !== false
        ? ['checkout leaves its token in .git: persist-credentials: false']
        : []),
      ...(run?.includes('${{') ? [`an expression inside a script; hand it over in env: ${run.split('\n')[0]}`] : []),
      ...missingScripts(run ?? '', scripts),
    ]),
  ];
}

function missingScripts(run: string, scripts: ReadonlySet<string>): string[] {
  return [...run.matchAll(NPM_SCRIPT)]
    .map(([, named, short]) => named ?? short ?? '')
    .filter((script) => !scripts.has(script))
    .map((script) => `package.json has no script ${script}`);
}

function grantsWrite(permissions: Workflow['permissions']): boolean {
  if (permissions === undefined) return false;
  return typeof permissions === 'string' ? permissions !== 'read-all' : Object.values(permissions).includes('write');
}

function holdsSecrets(part: unknown): boolean {
  return /\$\{\{[^}]*\bsecrets\b/.test(JSON.stringify(part) ?? '');
}

/** The comment behind an action is not part of its data: the document's nodes are looked through. */
function pinProblems(document: Document): string[] {
  const problems: string[] = [];
  const walk = (node: unknown): void => {
    if (isSeq(node)) for (const item of node.items) walk(item);
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if (isScalar(key) && key.value === 'uses' && isScalar(value)) problems.push(...pinProblem(value));
      else walk(value);
    }
  };
  walk(document.contents);
  return problems;
}

function pinProblem({ value, comment }: Node & { readonly value: unknown }): string[] {
  const action = String(value);
  if (action.startsWith('./') || EXACT_TAG.test(action)) return [];
  if (!COMMIT.test(action)) return [`${action} is not pinned: name a commit with its tag behind it, or an exact tag`];
  return TAG_COMMENT.test(comment ?? '') ? [] : [`${action} lacks its tag: # v1.2.3`];
}
