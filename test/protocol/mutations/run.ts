/**
 * `npm run test:mutations`: runs the tests of all rows as they are, which must pass; then takes each rule out of a copy
 * of the source and runs the tests of its row, which must fail. Prints a line per mutation; exits with 1 when one
 * survives, no longer applies, or breaks the build instead of the rule. The working tree is not touched.
 *
 * `--tenth`, as in `npm test`, trusts that the tests pass as they are.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { parseOptionsOrExit } from '../../../terminal/options.ts';
import { MUTATED_ROWS } from './list.ts';
import type { Edit, Mutation, Row } from './mutation.ts';

const USAGE = `npm run test:mutations -- [TEXT] [options]

Takes each rule of docs/protocol.md out of a copy of the source; the tests of
its row must then fail.

  TEXT         only the mutations that name it: in the rule (R4), the row, or
               what is taken out
  --tenth      a tenth of them, another one each day, as in npm test
  --help       this text
`;

const ROOT = resolve(import.meta.dirname, '../../..');
const COPIED = [
  'shared',
  'producer',
  'consumer',
  'callback',
  'bench',
  'migrations',
  'test',
  'vitest.config.mts',
  'package.json',
];
/** Where `vitest.config.mts` has the results written. */
const RESULTS = '.wrangler/test-results.json';

/** A mutation may make a test go round in circles; a row takes some seconds, on a busy machine half a minute. */
const ROW_TIMEOUT_MS = 120_000;
const TEST_TIMEOUT_MS = 10_000;
/** All rows together, as they are. */
const ALL_TIMEOUT_MS = 600_000;

type MutationResult = 'killed' | 'SURVIVED' | 'DOES NOT APPLY' | 'BROKE THE BUILD';

interface TestResult {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly TestResult[];
  }[];
}

function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'tasklane-mutations-'));
  for (const entry of COPIED) cpSync(join(ROOT, entry), join(copy, entry), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** How tests end in `copy`; undefined when they could not be run, or not in time. */
async function runTests(copy: string, args: readonly string[], timeout: number): Promise<Report | undefined> {
  const output = join(copy, RESULTS);
  rmSync(output, { force: true });
  const command = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'workers', '--project', 'unit', ...args];
  const child = spawn(process.execPath, command, { cwd: copy, stdio: 'ignore', timeout });
  await new Promise((done) => child.on('close', done));
  try {
    return JSON.parse(readFileSync(output, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

function pathOf(file: Row['file']): string {
  return posix.join('test/protocol', file);
}

function runRow(copy: string, { file, name }: Row): Promise<Report | undefined> {
  const args = [pathOf(file), '-t', `^${literally(name)}`, `--testTimeout=${TEST_TIMEOUT_MS}`];
  return runTests(copy, args, ROW_TIMEOUT_MS);
}

function resultsIn({ testResults }: Report): TestResult[] {
  return testResults.flatMap(({ assertionResults }) => assertionResults);
}

/** @returns the names of the rows whose tests are there and pass as they are */
async function readSound(copy: string, rows: readonly Row[]): Promise<Set<string>> {
  const files = [...new Set(rows.map(({ file }) => pathOf(file)))];
  const report = await runTests(copy, files, ALL_TIMEOUT_MS);
  const results = report === undefined ? [] : resultsIn(report);
  const passes = ({ name }: Row) => {
    const own = results.filter(({ fullName }) => fullName.startsWith(name));
    return own.length > 0 && own.every(({ status }) => status === 'passed');
  };
  return new Set(rows.filter(passes).map(({ name }) => name));
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
function isBrokenSql(report: Report): boolean {
  return resultsIn(report).some(({ failureMessages }) =>
    failureMessages.some((message) => /malformed JSON/.test(message) === false && message.includes('SQLITE_ERROR')),
  );
}

/** Nothing but time tells that something is missing. */
function isOnlyLate(report: Report): boolean {
  const failed = resultsIn(report).filter(({ status }) => status === 'failed');
  return (
    failed.length > 0 &&
    failed.every(({ failureMessages }) => failureMessages.every((message) => message.includes('Test timed out in')))
  );
}

function restore(copy: string, edits: readonly Edit[]): void {
  for (const { file } of edits) cpSync(join(ROOT, file), join(copy, file));
}

async function tryMutation(copy: string, row: Row, { edits }: Mutation): Promise<MutationResult> {
  try {
    if (!apply(copy, edits)) return 'DOES NOT APPLY';
    // Too late: a test goes round in circles, or the machine had too much to do, which a second run tells apart.
    const first = await runRow(copy, row);
    const report = first === undefined || isOnlyLate(first) ? await runRow(copy, row) : first;
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
    const wanted = rows.filter(({ mutations }) => mutations.length > 0);
    const sound = looksFirst ? await readSound(copy, wanted) : undefined;
    for (const row of wanted) {
      say(`\n${row.name}`);
      if (sound?.has(row.name) === false) {
        say('  its tests do not pass as they are');
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

const { values, positionals } = parseOptionsOrExit({
  options: { tenth: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [wanted = '', ...more] = positionals;
const rows = values.tenth ? ofToday(MUTATED_ROWS) : naming(MUTATED_ROWS, wanted);
if (values.help) say(USAGE);
else if (more.length > 0 || (values.tenth && wanted !== '')) refuse('name one thing, or --tenth, or nothing for all');
else if (rows.every(({ mutations }) => mutations.length === 0)) refuse(`no mutation names ${wanted}`);
else process.exitCode = (await main(rows, !values.tenth)) === 0 ? 0 : 1;

function refuse(reason: string): void {
  process.stderr.write(`${reason}; see --help\n`);
  process.exitCode = 2;
}
