/** `npm run destroy`: removes a deployment, or a preview of it, with all that it stores. Asks for the name first. */

import { createInterface } from 'node:readline/promises';
import { reasonOf } from '../terminal/launch-error.ts';
import { parseOptions } from '../terminal/options.ts';
import type { Account } from './account/account.ts';
import type { CloudflareApi } from './account/api.ts';
import { queryDatabase } from './account/database.ts';
import { readAccount } from './account/read-account.ts';
import { readBacklog } from './apply/drain.ts';
import { openAccount } from './command/access.ts';
import { untilInterrupted } from './command/interrupt.ts';
import { readPreview } from './command/values.ts';
import { DeployError } from './deploy-error.ts';
import { type DeployRequest, inputsFor } from './prepare.ts';
import { runDestroy } from './run.ts';

const HELP = `Removes Tasklane from a Cloudflare account: Workers, queues, database, buckets.

  npm run destroy                     asks for the deployment's name, then
                                      removes all of it
  npm run destroy -- --preview NAME   removes a preview; nothing is asked
  npm run destroy -- --confirm NAME   for scripts: the name that would be asked

  --keep-database    leaves the database and the buckets
  --help             this text

From the environment: CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID. To keep what
is stored, export it first: docs/operating.md, "Backup and restore".`;

function say(line: string): void {
  console.error(line);
}

function readOptions() {
  const { values } = parseOptions({
    options: {
      preview: { type: 'string' },
      confirm: { type: 'string' },
      'keep-database': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return values;
}

async function destroy(options: ReturnType<typeof readOptions>, signal: AbortSignal): Promise<void> {
  const request: DeployRequest = { preview: readPreview(options.preview) };
  const { family, name } = inputsFor(request, {});
  const api = openAccount(process.env, signal, say);
  const account = await readAccount(api, family);
  if (account.workers.size + account.queues.size + account.databases.size + account.buckets.size === 0) {
    return say(`${name}: there is nothing in the account`);
  }
  for (const line of await lossLines(api, account, options['keep-database'])) say(line);
  if (request.preview === undefined) await confirm(name, options.confirm, signal);
  const steps = await runDestroy({ api, request, say, signal }, options['keep-database']);
  say(`${name} is removed: ${steps.length} steps`);
}

async function lossLines(api: CloudflareApi, account: Account, keepsDatabase: boolean): Promise<string[]> {
  const backlogs = await Promise.all([...account.queues.values()].map(({ id }) => readBacklog(api, id)));
  const messages = backlogs.reduce((sum, backlog) => sum + backlog, 0);
  const tasks = await Promise.all(
    [...account.databases.values()].map(async ({ id, migrations }) =>
      migrations.size === 0
        ? 0
        : Number((await queryDatabase(api, id, 'SELECT count(*) AS tasks FROM tasks'))[0]?.tasks),
    ),
  );
  const stored = tasks.reduce((sum, count) => sum + count, 0);
  return [
    `${account.workers.size} Workers, ${account.queues.size} queues with about ${messages} messages, ` +
      `${account.databases.size} databases with ${stored} tasks${keepsDatabase ? ' (kept)' : ''}`,
  ];
}

async function confirm(name: string, typed: string | undefined, signal: AbortSignal): Promise<void> {
  if (typed === undefined && !process.stdin.isTTY) {
    throw new DeployError(`nobody can be asked here; to remove it for good add --confirm ${name}`);
  }
  const answer = typed ?? (await ask(`All of it is removed for good. Type its name, ${name}, to go on: `, signal));
  if (answer.trim() !== name) throw new DeployError(`the name is ${name}; nothing was removed`);
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question, { signal });
  } finally {
    terminal.close();
  }
}

const { signal, wasInterrupted } = untilInterrupted();
try {
  const options = readOptions();
  if (options.help) console.log(HELP);
  else await destroy(options, signal);
} catch (error) {
  const isInterrupted = wasInterrupted();
  console.error(`destroy: ${isInterrupted ? 'stopped; run the same command again to go on' : reasonOf(error)}`);
  process.exitCode = isInterrupted ? 130 : 1;
}
