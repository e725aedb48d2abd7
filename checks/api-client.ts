/**
 * A client made from the API document with public tools, as a user would make one: types printed by
 * `openapi-typescript`, requests by `openapi-fetch`, and a program that uses both, checked by the compiler.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../deploy/plan/plan-files.ts';

const FOLDER = path.join(ROOT, '.wrangler', 'api-client');
const GENERATOR = path.join(ROOT, 'node_modules', 'openapi-typescript', 'bin', 'cli.js');
const HOOK = path.join(ROOT, 'checks', 'typescript-5.mjs');

/** What must compile, and, where it says so, must not. */
const PROGRAM = `import createClient from 'openapi-fetch';
import type { components, paths } from './schema.d.ts';

const client = createClient<paths>({ baseUrl: 'https://tasks.example.com' });

export async function run(): Promise<string> {
  const submitted = await client.POST('/api/task', {
    params: { header: { 'idempotency-key': 'order-77' } },
    body: { service: 'ocr', payload: { pages: [1, 2] }, labels: { customer: 'acme' }, method: 'POST' },
  });
  if (submitted.error !== undefined) return submitted.error.title;
  const { id } = submitted.data;
  const { data: task } = await client.GET('/api/task/{id}', { params: { path: { id }, query: { wait: 10 } } });
  const reason: NonNullable<components['schemas']['WaitingFor']>['reason'] | undefined = task?.waitingFor?.reason;
  if (task?.status === 'succeeded') return String(task.result);
  const { data: list } = await client.GET('/api/tasks', { params: { query: { status: ['failed'], limit: 50 } } });
  for (const each of list?.tasks ?? []) await client.POST('/api/task/{id}/retry', { params: { path: { id: each.id } } });
  await client.POST('/api/keys/{shard}/{key}/{action}', { params: { path: { shard: 0, key: '3', action: 'reset' } } });
  await client.PUT('/api/services/{name}', {
    params: { path: { name: 'ocr' } },
    body: { baseUrl: 'https://ocr.example.com', balancing: 'peak-ewma', retry: { maxAttempts: 3 } },
  });
  // @ts-expect-error: a status that there is not
  await client.GET('/api/tasks', { params: { query: { status: ['done'] } } });
  // @ts-expect-error: no service
  await client.POST('/api/task', { body: { payload: 1 } });
  return reason ?? 'runs';
}
`;

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: 'esnext',
    module: 'nodenext',
    types: [],
    lib: ['esnext', 'dom'],
    allowImportingTsExtensions: true,
  },
  files: ['client.mts'],
};

/** @returns what is wrong with it; undefined when it compiles */
export function clientFault(document: string): string | undefined {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path.join(FOLDER, 'client.mts'), PROGRAM);
  writeFileSync(path.join(FOLDER, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  const types = path.join(FOLDER, 'schema.d.ts');
  return (
    faultOf(process.execPath, [
      '--import',
      HOOK,
      GENERATOR,
      document,
      '-o',
      types,
      '--default-non-nullable',
      'false',
    ]) ?? faultOf('tsc', ['-p', FOLDER])
  );
}

function faultOf(command: string, args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? undefined : `${stdout}${stderr}`;
}
