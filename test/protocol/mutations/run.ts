/**
 * `npm run test:mutations`: takes each rule out of a copy of the source and runs the tests of its
 * row, which must then fail. Prints a line per mutation; exits with 1 when one survives, no longer
 * applies, or breaks the build instead of the rule. The working tree is not touched.
 *
 * `npm run test:mutations -- R4` runs only what names R4 (in the rule, the row or what is taken out). `--tenth`,
 * as in `npm test`, runs a tenth of them, another one each day, and trusts that the tests pass as it is.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MUTATED_ROWS } from './list.ts';
import type { Edit, Mutation, Row } from './mutation.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const COPIED = [
  'shared',
  'producer',
  'consumer',
  'callback',
  'migrations',
  'test',
  'vitest.config.mts',
  'package.json',
];
/** Where `vitest.config.mts` has the results written. */
const RESULTS = '.wrangler/test-results.json';

/** A mutation may make a test go round in circles; a row takes some seconds, on a busy machine half a minute. */
const TIMEOUT_MS = 120_000;

type MutationResult = 'killed' | 'SURVIVED' | 'DOES NOT APPLY' | 'BROKE THE BUILD';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly failureMessages: readonly string[] }[];
  }[];
}

function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'tasklane-mutations-'));
  for (const entry of COPIED) cpSync(join(ROOT, entry), join(copy, entry), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** How the row's tests end in `copy`; undefined when they could not be run. */
async function runTests(copy: string, file: string, name: string): Promise<Report | undefined> {
  const output = join(copy, RESULTS);
  rmSync(output, { force: true });
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'workers', `test/protocol/${file}`];
  const options = ['-t', `^${literally(name)}`, '--testTimeout=10000'];
  const child = spawn(process.execPath, [...args, ...options], { cwd: copy, stdio: 'ignore', timeout: TIMEOUT_MS });
  await new Promise((done) => child.on('close', done));
  try {
    return JSON.parse(readFileSync(output, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** False when some `from` does not stand exactly once in its file. */
function apply(copy: string, edits: readonly Edit[]): boolean {
  return edits.every(({ file, from, to }) => {
    const path = join(copy, file);
    const [before, after, ...more] = readFileSync(path, 'utf8').split(from);
    if (before === undefined || after === undefined || more.length > 0) return false;
    writeFileSync(path, before + to + after);
    return true;
  });
}

/** SQL that does not parse fails every test; that is no proof. A broken CHECK is one. */
function isBrokenSql({ testResults }: Report): boolean {
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  return results.some(({ failureMessages }) =>
    failureMessages.some((message) => /malformed JSON/.test(message) === false && message.includes('SQLITE_ERROR')),
  );
}

function restore(copy: string, edits: readonly Edit[]): void {
  for (const { file } of edits) cpSync(join(ROOT, file), join(copy, file));
}

async function tryMutation(copy: string, row: Row, { edits }: Mutation): Promise<MutationResult> {
  try {
    if (!apply(copy, edits)) return 'DOES NOT APPLY';
    // Without a report it took too long: a test goes round in circles, or the machine had too much to do.
    const report = (await runTests(copy, row.file, row.name)) ?? (await runTests(copy, row.file, row.name));
    if (report === undefined || report.numPassedTests + report.numFailedTests === 0) return 'BROKE THE BUILD';
    if (report.numFailedTests === 0) return 'SURVIVED';
    return isBrokenSql(report) ? 'BROKE THE BUILD' : 'killed';
  } finally {
    restore(copy, edits);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Of every ten mutations the one whose day it is. */
function ofToday(rows: readonly Row[]): Row[] {
  const today = Math.floor(Date.now() / 86_400_000) % 10;
  let index = 0;
  return rows.map((row) => ({ ...row, mutations: row.mutations.filter(() => index++ % 10 === today) }));
}

function naming(rows: readonly Row[], wanted: string): Row[] {
  return rows.map((row) => ({
    ...row,
    mutations: row.mutations.filter(({ rule, out }) => `${rule} ${row.name} ${out}`.includes(wanted)),
  }));
}

/** Says how many mutations were not killed. */
async function main(rows: readonly Row[], looksFirst: boolean): Promise<number> {
  const copy = copyTree();
  let bad = 0;
  let tried = 0;
  try {
    for (const row of rows.filter(({ mutations }) => mutations.length > 0)) {
      say(`\n${row.name}`);
      const sound = looksFirst ? await runTests(copy, row.file, row.name) : undefined;
      if (looksFirst && (sound === undefined || sound.numFailedTests > 0 || sound.numPassedTests === 0)) {
        say('  its tests do not pass as it is');
        bad += 1;
        continue;
      }
      for (const mutation of row.mutations) {
        const result = await tryMutation(copy, row, mutation);
        tried += 1;
        if (result !== 'killed') bad += 1;
        say(`  ${mutation.rule.padEnd(4)} without ${mutation.out.padEnd(52)} ${result}`);
      }
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  say(`\n${tried} mutations, ${bad === 0 ? 'all killed' : `${bad} not killed`}`);
  return bad;
}

const [wanted = ''] = process.argv.slice(2);
const isTenth = wanted === '--tenth';
const rows = isTenth ? ofToday(MUTATED_ROWS) : naming(MUTATED_ROWS, wanted);
process.exitCode = (await main(rows, !isTenth)) === 0 ? 0 : 1;
