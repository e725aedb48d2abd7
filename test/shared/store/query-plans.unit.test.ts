/**
 * The query plan of every statement: none walks a table that grows with the tasks, other than by a key, and none
 * builds an index as it goes. A function of `shared/store/` that no row of the table below calls fails the test.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';

const STORE = path.resolve(import.meta.dirname, '../../../shared/store');
const MIGRATIONS = path.resolve(import.meta.dirname, '../../../migrations');

/** They grow with the tasks, or with what people do. */
const GROWING = /^(?:SCAN|SEARCH) (tasks|finds|groups|group_stores|idempotency_keys|audit|statistics|seen|entries)\b/;

const ID = 'tsk_06gzhmza000c7atjtd8wxv0zpad2p9kg';
const NOW = 1_780_000_000_000;
const POLICY = { maxAttempts: 1, baseSeconds: 1, capSeconds: 1 };
const TASK = { id: ID, subject: 'a', service: 's', policy: POLICY, deadlineAt: NOW, request: {} };
const CLAIM = { id: ID, leaseMs: 1, task: TASK };
const LIVES = { after: '', before: '~', bodiesOf: NOW, rowsOf: NOW, limit: 10 };
const STATE = { run: 1, deferrals: 0, attemptsOffset: 0, policy: POLICY, deadlineAt: NOW, status: 'queued' };
const MOVE = { id: ID, expected: { status: 'running', run: 1 }, next: STATE };
const SUCCESS = {
  ...MOVE,
  next: { ...STATE, status: 'succeeded', finishedAt: NOW },
  settled: { run: 1, status: 'succeeded' },
};
const PARKED = { ...STATE, status: 'deferred', reason: 'no-key', nextAt: NOW, parkedFor: 'l' };
const GROUP = { subject: 'a', name: 'g' };
const SCHEDULE = { subject: 'a', name: 'n', cron: '* * * * *', time_zone: 'UTC', task: '{}', next_at: 1 };
const TALLY = { kind: 'service', name: 's', hour: 1, counts: [], deferrals: [], start: [], call: [], total: [] };

/** What each function is called with, behind the database; several lists for several ways through it. */
const CALLS: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  keepKeySwitch: [[{ fingerprint: 'f', disabledAt: NOW }]],
  readKeySwitches: [[['f']]],
  addToStatistics: [[[TALLY]]],
  askSize: [[]],
  closeGroup: [[GROUP, true, NOW]],
  claimKeys: [['a', [{ key: 'k', id: ID, fields: '{}' }], NOW, NOW]],
  claimTasks: [[{ claims: [CLAIM], nonce: 'n' }, NOW]],
  countDeadLetters: [[1]],
  countWaiting: [[[{ name: 'l', first: 'l', last: 'l' }], NOW]],
  countOpenTasksOf: [['s', ID, 10]],
  countSchedules: [['a']],
  createJob: [[{ id: 'job_0' }]],
  createGroup: [[GROUP, ID, NOW]],
  decideRuns: [[SCHEDULE, [], 1]],
  deleteExpiredRevocations: [[NOW]],
  deleteOldActs: [[NOW, 10]],
  deleteOldJobs: [[NOW, 10]],
  deleteOldProgress: [[NOW, 10]],
  deleteOldStatistics: [['service', 1, 10]],
  deleteSchedule: [['a', 'n']],
  describeParked: [[['l']]],
  endJob: [['job_0', 'aborted', NOW]],
  endLives: [[LIVES, NOW]],
  finishRuns: [[SCHEDULE, { at: NOW, task: ID, error: undefined }]],
  findTasks: [
    ['summary', { limit: 10 }],
    ['summary', { limit: 10, subject: 'a' }],
    ['summary', { limit: 10, subject: 'a', ref: 'r', statuses: ['failed'], errorClass: 'http', server: 's' }],
    ['error', { limit: 10, ref: 'r' }],
    ['id', { limit: 10, service: 's', labels: [['a', 'b']] }],
    ['summary', { limit: 10, subject: 'a', group: 'g' }],
  ],
  forgetDeadLetters: [[1]],
  forgetExpiredKeys: [['', 10, NOW]],
  forgetFinds: [['', 10, '~']],
  forgetGroupStores: [[[GROUP]]],
  forgetGroups: [[NOW, 10]],
  deleteOldLineRates: [[NOW]],
  forgetRedriveStarts: [[NOW]],
  forgetTurns: [['', 10, NOW]],
  keepKeyReports: [[[{ shard: 0, askedAt: 1, toldAt: 1, keys: [] }]]],
  leaveTurns: [[[ID]]],
  listActs: [[{ act: undefined, subject: undefined, below: undefined, since: 0, until: NOW, limit: 10 }]],
  listJobs: [['a', undefined, 10]],
  listGroups: [
    ['a', NOW, 10],
    [undefined, NOW, 10],
  ],
  listSchedules: [['a', 10]],
  makeDue: [[[ID], NOW]],
  makeOverdueHeadsDue: [[['l'], 500, NOW]],
  noteDeadLetters: [[1, 1]],
  noteStoreSizes: [[[{ store: 0, bytes: 1 }], NOW]],
  placeGroup: [[GROUP, 0]],
  plantTombstone: [[TASK, NOW]],
  purgeStatements: [[[ID], { job: 'job_0', from: '~' }, NOW, NOW]],
  putSchedule: [[SCHEDULE, 1]],
  readMessagesOf: [[[ID]]],
  readBodyOwners: [[[ID]]],
  readOpenOfGroup: [[GROUP, '', 10]],
  readCancellingGroups: [[10]],
  readCancelled: [[[ID]]],
  readCarriedTasksOf: [['s', ID, 10]],
  readDue: [
    ['callback', NOW, 10],
    ['deadline', NOW, 10],
    ['send', NOW, 10],
  ],
  readDueSchedules: [[NOW, 10]],
  readEnded: [[[ID]]],
  readFallbacks: [[[ID]]],
  readGroup: [[GROUP]],
  readGroupStore: [[GROUP]],
  readKeyReports: [[]],
  readKeys: [['a', ['k']]],
  readJob: [['job_0']],
  readLineHeads: [['l', 10, NOW]],
  readLinePosition: [['l', { id: ID, place: 1 }, NOW]],
  readLines: [['', 10]],
  readLineRates: [[NOW]],
  readLineRatesOf: [[['l'], NOW]],
  readProgress: [[['job_0']]],
  readRedriveStarts: [[]],
  readLineDeadlines: [[['l']]],
  readNearDeadlines: [[NOW, 10]],
  readRequests: [[[ID]]],
  readResult: [[ID]],
  readRevokedTokens: [[NOW]],
  readScanPosition: [['n']],
  readScanPositions: [[]],
  objectsWithoutRow: [[[[ID, 'a', null]]]],
  readRunningJobs: [[10]],
  readStoredBodies: [[[ID]]],
  readSchedule: [['a', 'n']],
  readSetting: [['n']],
  readStates: [[[ID]]],
  readStatistics: [['service', 1, undefined, 10]],
  readStatus: [[ID]],
  readStoreSizes: [[NOW]],
  readSummary: [[ID]],
  readTask: [[ID]],
  readUncarriedTasksOf: [['s', 10]],
  readWaitingLines: [[NOW]],
  recordAccepted: [[[TASK], NOW]],
  recordEntered: [[[TASK]]],
  recordAct: [[{}]],
  recordExpired: [[[CLAIM], '{}', NOW]],
  recordTransitions: [[[MOVE]]],
  // At the start of a local run, once, before anything is served.
  recoverAfterRestart: [],
  releaseDueHeads: [[['l'], NOW]],
  releaseParkedAmong: [['l', [ID], NOW]],
  releaseParkedTasks: [['l', 10, { perSecond: 1, mover: 'registry' }, NOW]],
  releaseJobRunner: [[NOW]],
  revokeToken: [['j', NOW]],
  scanForStrays: [['', 10, NOW]],
  setGroupHook: [[GROUP, '{}']],
  setSchedulePaused: [['a', 'n', true, 1]],
  takeJobRunner: [[NOW, NOW]],
  takeKeyOver: [['a', { key: 'k', id: ID, fields: '{}' }, ID, NOW]],
  takeTurns: [[[{ id: ID, run: 1, line: 'l' }], NOW]],
  transitionStatements: [[[MOVE]], [[SUCCESS]], [[{ ...MOVE, next: PARKED, park: { at: NOW, isAgain: true } }]]],
  writeChunk: [[{ job: 'job_0', from: '~', to: '', tasks: 1 }, [], []]],
  writeRedriveStarts: [[new Map([['s', 1]])]],
  writeSetting: [['n', '{}', undefined]],
  writeScanPosition: [['n', ID]],
  writeScanPositions: [[new Map([['n', ID]])]],
};

/** Remembers statements; answers so that code goes on to the next. */
function capturing(): { readonly db: unknown; readonly statements: Set<string> } {
  const statements = new Set<string>();
  const row = {
    last: ID,
    rows: 1,
    old_rows: 1,
    old_bodies: 1,
    strays: '[]',
    stored: JSON.stringify([[ID, 'k', null]]),
    result_stored: JSON.stringify({ key: 'k', type: 't', bytes: 1, etag: 'e' }),
    entry: ID.slice(0, 10),
    id: ID,
    keys: '[]',
    line: 'l',
  };
  const lists = {
    counts: '[]',
    deferrals: '[]',
    start_histogram: '[]',
    call_histogram: '[]',
    total_histogram: '[]',
    waits: '{}',
    parts: '[]',
  };
  const keys = { term: 't', subject: 'a', key: 'k', expired: 1, ...lists };
  const answer = { results: [{ ...row, ...keys }], meta: { changes: 1 } };
  const statement: Record<string, unknown> = {
    bind: () => statement,
    all: async () => answer,
    run: async () => answer,
    first: async () => answer.results[0],
  };
  const db = {
    prepare: (sql: string) => {
      statements.add(sql);
      return statement;
    },
    batch: async (all: unknown[]) => all.map(() => answer),
  };
  return { db, statements };
}

const database = new DatabaseSync(':memory:');
for (const file of globSync('[0-9]*.sql', { cwd: MIGRATIONS }).sort()) {
  database.exec(readFileSync(path.join(MIGRATIONS, file), 'utf8'));
}

interface Step {
  /** 0 for what is not inside a subquery. */
  readonly parent: number;
  readonly detail: string;
}

function planOf(sql: string): Step[] {
  const parameters = Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number)));
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array.from({ length: parameters }, () => '[]'));
  return rows.map(({ parent, detail }) => ({ parent: Number(parent), detail: String(detail) }));
}

/**
 * A walk without a key; an index made for one statement; and a change of rows that are looked for along an index,
 * of which no LIMIT says how far it goes.
 */
function faultsIn(sql: string): string[] {
  const isChange = /^\s*(?:UPDATE|DELETE)\b/.test(sql);
  const faults = planOf(sql).filter(
    ({ parent, detail }) =>
      /AUTOMATIC/.test(detail) ||
      (GROWING.test(detail) && detail.startsWith('SCAN') && !/^SCAN (?:seen|entries)/.test(detail)) ||
      (isChange && parent === 0 && /^SEARCH tasks (?!USING PRIMARY KEY)/.test(detail)),
  );
  return faults.map(({ detail }) => detail);
}

const modules = await Promise.all(
  globSync('*.ts', { cwd: STORE }).map(async (file) => ({
    source: readFileSync(path.join(STORE, file), 'utf8'),
    exported: (await import(path.join(STORE, file))) as Record<string, (...args: unknown[]) => Promise<unknown>>,
  })),
);
/** They run what others hand them. */
const HELPERS = new Set(['runForEach', 'watchedDatabase']);

const functions = modules.flatMap(({ source, exported }) =>
  [...source.matchAll(/^export (?:async )?function (\w+)(?:<[^(]*>)?\(\s*(?:db|control): D1Database/gm)].flatMap(
    ([, name = '']) => {
      const run = exported[name];
      return run === undefined || HELPERS.has(name) ? [] : [{ name, run }];
    },
  ),
);

describe('the query plan', () => {
  it.each(functions)('of $name walks by a key', async ({ name, run }) => {
    expect(CALLS, 'add what it is called with to CALLS').toHaveProperty(name);
    const { db, statements } = capturing();
    for (const args of CALLS[name] ?? []) await run(db, ...args);
    expect(statements.size >= 1 || name === 'recoverAfterRestart').toBe(true);
    for (const sql of statements) expect(faultsIn(sql), sql).toEqual([]);
  });

  it('of a walk without a key is found out', () => {
    expect(faultsIn('SELECT id FROM tasks WHERE service = ?1')).toEqual(['SCAN tasks']);
    expect(faultsIn(`SELECT id FROM tasks WHERE status = 'queued' ORDER BY due_at`)).not.toEqual([]);
  });

  it('of a change that walks a whole line for tasks whose ids are known is found out', () => {
    const sql = 'UPDATE tasks SET sends = 1 WHERE id IN (SELECT value FROM json_each(?2)) AND parked_for = ?1';
    expect(faultsIn(sql)).toEqual(['SEARCH tasks USING INDEX tasks_parked (parked_for=?)']);
  });
});
