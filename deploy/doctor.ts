/**
 * `npm run doctor`: checks a deployment, the local run or one at an address, against the checklist in
 * docs/production.md, and ends with 1 when something is missing. It changes nothing, unless asked to note
 * what was tried by hand.
 */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { reasonOf } from '../terminal/launch-error.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { pad, style } from '../terminal/style.ts';
import { wrap } from '../terminal/wrap.ts';
import { DeployError } from './deploy-error.ts';
import type { DoctorFinding } from './doctor/finding.ts';
import { compareSecrets, noteItem, readChecklist } from './doctor/inside.ts';
import { lookFromOutside } from './doctor/outside.ts';

const HELP = `Checks a deployment against the checklist in docs/production.md.

  npm run doctor                       the local run (npm start)
  npm run doctor -- --url https://…    a deployment; its token, of an admin or a
                                       viewer, in TASKLANE_TOKEN

  --dir DIR                  the local run's folder (.wrangler)
  --token-env NAME           another variable that holds the token
  --against URL              compares secrets with another environment
  --against-token-env NAME   its token (TASKLANE_AGAINST_TOKEN)
  --note ITEM                notes that a backup, restore or rollback was done;
                             needs an admin's token
  --note-text TEXT           what was done
  --json                     findings as JSON
  --help                     this text`;

const LocalSchema = z.looseObject({ url: z.string(), tokens: z.looseObject({ admin: z.string() }) });

const NAME_WIDTH = 20;

interface Deployment {
  readonly url: string;
  readonly token: string;
}

function readOptions() {
  return parseOptionsOrExit({
    options: {
      url: { type: 'string' },
      dir: { type: 'string', default: '.wrangler' },
      'token-env': { type: 'string', default: 'TASKLANE_TOKEN' },
      against: { type: 'string' },
      'against-token-env': { type: 'string', default: 'TASKLANE_AGAINST_TOKEN' },
      note: { type: 'string' },
      'note-text': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
}

function deploymentAt(url: string, variable: string): Deployment {
  const parsed = URL.parse(url);
  if (parsed === null) throw new DeployError(`${url} is not a web address`);
  const token = process.env[variable];
  if (!token) throw new DeployError(`${variable} must hold a token of an admin or a viewer at ${url}`);
  return { url: parsed.origin, token };
}

function localRun(dir: string): Deployment {
  const file = path.join(dir, 'local.json');
  if (!existsSync(file)) throw new DeployError('nothing runs here: npm start, or give --url');
  const { url, tokens } = LocalSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { url, token: tokens.admin };
}

function show({ item, state, says, remedy }: DoctorFinding): string {
  const mark = { ok: style.green('✓'), missing: style.red('✗'), unknown: style.yellow('?') }[state];
  const indent = ' '.repeat(NAME_WIDTH + 3);
  const lines = wrap(`${mark} ${pad(style.bold(item), NAME_WIDTH)} ${says}`, indent.length);
  if (remedy !== undefined) lines.push(...wrap(indent + remedy, indent.length).map(style.dim));
  return lines.join('\n');
}

/** @throws DeployError when nobody answers there */
async function ask(address: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch {
    throw new DeployError(
      `nobody answers at ${new URL(address).origin}; start the local run with npm start, or give --url`,
    );
  }
}

async function examine(options: ReturnType<typeof readOptions>): Promise<void> {
  const here = options.url === undefined ? localRun(options.dir) : deploymentAt(options.url, options['token-env']);
  if (options.note !== undefined) await noteItem(here.url, here.token, options.note, options['note-text'], ask);
  const [outside, inside] = await Promise.all([
    lookFromOutside(here.url, ask),
    readChecklist(here.url, here.token, ask),
  ]);
  const findings: DoctorFinding[] = [...outside, ...inside.items];
  if (options.against !== undefined) {
    const there = deploymentAt(options.against, options['against-token-env']);
    findings.push(compareSecrets(inside, await readChecklist(there.url, there.token, ask), there.url));
  }
  const missing = findings.filter(({ state }) => state !== 'ok').length;
  if (options.json) {
    console.log(JSON.stringify({ url: here.url, findings }, undefined, 2));
  } else {
    for (const line of findings) console.log(show(line));
    const said = missing === 0 ? 'Nothing is missing.' : `${missing} of ${findings.length} are missing.`;
    const local = options.url === undefined ? ' A local run lacks some of them on purpose.' : '';
    console.log(`\n${said} docs/production.md says why each matters.${local}`);
  }
  if (missing > 0) process.exitCode = 1;
}

const options = readOptions();
try {
  if (options.help) console.log(HELP);
  else await examine(options);
} catch (error) {
  console.error(`doctor: ${reasonOf(error)}`);
  process.exitCode = 2;
}
