/**
 * `npm run bench:finding`: how long the first page of a small tenant takes among many tasks of others, in SQLite on
 * this machine, and what finding costs. Everything is asked with the statements that the producer asks.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { findTasks } from '../shared/store/find.ts';
import { smallestTaskIdAt } from '../shared/task/id.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { asD1, migrate } from './sqlite/d1.ts';

const HELP = `npm run bench:finding -- [--tasks 1000000] [--days 30]

Fills a database with tasks of 100 busy subjects, evenly over the days, one in a
thousand of a small one and 60 of a tiny one among them; then reads their first
pages, cold and again.`;

const { values } = parseOptionsOrExit({
  options: {
    tasks: { type: 'string', default: '1000000' },
    days: { type: 'string', default: '30' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const DAY_MS = 86_400_000;
const TINY_TASKS = 60;
const SMALL_STEP = 1_000;

function fill(database: DatabaseSync, tasks: number, days: number): void {
  const start = Date.UTC(2026, 9, 1);
  const stepMs = (days * DAY_MS) / tasks;
  const insert = database.prepare(
    `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at, request, result)
     VALUES (?, ?, 'quick', 'succeeded', 8, 2, 3600, 0, 1, '{"method":"POST","path":"/v1/read"}', '{"ok":true}')`,
  );
  const everyTiny = Math.max(1, Math.floor(tasks / TINY_TASKS));
  const subjectOf = (at: number) => {
    if (at % everyTiny === 0) return 'tiny';
    return at % SMALL_STEP === 1 ? 'small' : `busy-${at % 100}`;
  };
  database.exec('BEGIN');
  for (let at = 0; at < tasks; at++) {
    const id = smallestTaskIdAt(start + at * stepMs).slice(0, -8) + String(at).padStart(8, '0');
    insert.run(id, subjectOf(at));
    if (at % 100_000 === 99_999) {
      database.exec('COMMIT; BEGIN');
      process.stderr.write(`  ${at + 1} tasks\n`);
    }
  }
  database.exec('COMMIT');
}

async function measure(db: D1Database, filter: Omit<Parameters<typeof findTasks>[2], 'limit'>) {
  const startedAt = performance.now();
  const { rows } = await findTasks(db, 'summary', { ...filter, limit: 50 });
  return { ms: performance.now() - startedAt, rows: rows.length };
}

if (values.help) {
  console.log(HELP);
} else {
  const directory = mkdtempSync(path.join(tmpdir(), 'tasklane-finding-'));
  try {
    const file = path.join(directory, 'tasks.sqlite');
    const writer = new DatabaseSync(file);
    writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
    migrate(writer);
    const tasks = Number(values.tasks);
    fill(writer, tasks, Number(values.days));
    const finds = Number(writer.prepare('SELECT count(*) AS rows FROM finds').get()?.rows);
    writer.close();
    const reader = new DatabaseSync(file, { readOnly: true });
    const db = asD1(reader);
    const rows: string[][] = [];
    for (const [name, filter] of [
      ['small subject, first page', { subject: 'small' }],
      ['small subject, first page again', { subject: 'small' }],
      ['tiny subject, first page', { subject: 'tiny' }],
      ['tiny subject, first page again', { subject: 'tiny' }],
      ['small subject, failed ones', { subject: 'small', statuses: ['failed'] as const }],
      ['busy subject, first page', { subject: 'busy-7' }],
      ['everybody, first page', {}],
    ] as const) {
      const { ms, rows: found } = await measure(db, filter);
      rows.push([name, String(found), ms.toFixed(1)]);
    }
    reader.close();
    console.log(`\n${tasks} tasks in ${values.days} days; ${(finds / tasks).toFixed(3)} rows a task to find them by\n`);
    console.log(alignedTable(['page of 50', 'found', 'ms'], rows));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
