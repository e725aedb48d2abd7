/**
 * Migrations of three stores that hold rows in every state, in two steps. First from the schema of the first release to
 * the present one: what ended must stay as it was. Then, while the Workers accept, claim and settle, whatever they can
 * go without, and what a next release may bring: a column that is filled, an index, a table kept by a trigger.
 * Everything is done by a deploy; nothing may be lost, and all that was open must end.
 */
import type { Migration } from '../deploy/account/database.ts';
import { readMigrationFiles } from '../deploy/plan/plan-files.ts';
import type { MigrationsOf } from '../deploy/prepare.ts';
import type { Uploads } from '../deploy/upload/build-uploads.ts';
import { startExample } from '../local/example-process.ts';
import { isTerminal } from '../shared/task/status.ts';
import { LiveAccount } from './live-account.ts';
import { startLoad, untilAllEnded } from './load.ts';
import { FIRST_MIGRATIONS, INSERT_OLD_ROWS, oldRows } from './old-rows.ts';
import { StageRun, succeed } from './rehearse.ts';
import { DEPLOYMENT, SECRETS, storeName } from './scenario.ts';

export interface MigrationsReport {
  readonly stores: number;
  readonly rows: number;
  /** Ended rows that are not as they were. */
  readonly changed: number;
  /** What became of the rows that were open. */
  readonly open: Readonly<Record<string, number>>;
  /** Of the tasks that were accepted while the last migrations ran and before and after. */
  readonly accepted: Readonly<Record<string, number>>;
  readonly migrations: readonly { readonly name: string; readonly slowestMs: number; readonly underLoad: boolean }[];
}

/** Migrations of the tree that the Workers of the tree can go without. */
const DISPENSABLE: readonly string[] = ['0021_finding_small_owners.sql', '0041_statuses_are_not_listed.sql'];

/** What a next release may bring. */
const NEXT: readonly Migration[] = [
  {
    name: '9001_a_column_that_is_filled.sql',
    sql: `ALTER TABLE tasks ADD COLUMN next_release TEXT;\nUPDATE tasks SET next_release = status;`,
  },
  {
    name: '9002_an_index.sql',
    sql: 'CREATE INDEX tasks_next_release ON tasks (service, id) WHERE next_release IS NOT NULL;',
  },
  {
    name: '9003_a_table_kept_by_a_trigger.sql',
    sql: `CREATE TABLE next_releases (id TEXT PRIMARY KEY, status TEXT NOT NULL) WITHOUT ROWID;
CREATE TRIGGER tasks_next_release AFTER UPDATE OF status ON tasks
BEGIN
  INSERT INTO next_releases (id, status) VALUES (new.id, new.status) ON CONFLICT (id) DO UPDATE SET status = excluded.status;
END;
INSERT OR IGNORE INTO next_releases (id, status) SELECT id, status FROM tasks;`,
  },
];

const STORES = [0, 1, 2];
const CHUNK = 2_000;
const ENDED_WITHIN_MS = 1_200_000;

/** @param rows of all stores together */
export async function migrateUnderLoad(
  uploads: Uploads,
  rows: number,
  say: (line: string) => void,
): Promise<MigrationsReport> {
  const backend = await startExample('backend', () => {});
  await using account = new LiveAccount({
    deployment: DEPLOYMENT,
    vars: {
      ACCEPT: 'queue+record',
      ALLOW_PRIVATE_TARGETS: 'true',
      SERVICES: { quick: { baseUrl: backend.url, path: '/quick' } },
    },
    databases: STORES.map(storeName),
  });
  try {
    const deploy = (migrationsOf: MigrationsOf) => {
      const stage = { request: { stores: STORES.length }, environment: SECRETS, migrationsOf };
      return succeed({ name: 'migrations under load' }, new StageRun(account, stage, uploads));
    };
    await deploy(only(({ name }) => FIRST_MIGRATIONS.includes(name)));
    const filled = await fill(account, rows, say);
    await deploy(only(({ name }) => !DISPENSABLE.includes(name)));
    const seen = account.migrated.length;
    say('migrated to the present schema');
    const changed = await countChanged(account, filled.ended);
    await account.serve();
    const load = await startLoad(account, SECRETS.JWT_SECRET, 'quick');
    try {
      await load.more(100);
      await deploy((plan) => appended(readMigrationFiles(plan), NEXT));
      say('migrated under load');
      await load.more(100);
    } finally {
      await load.stop();
    }
    if (load.refusals.length > 0) throw new Error(`submissions were refused: ${load.refusals[0]}`);
    const accepted = await untilAllEnded(account, load.accepted, ENDED_WITHIN_MS);
    const open = await untilAllEnded(account, filled.open, ENDED_WITHIN_MS);
    return {
      stores: STORES.length,
      rows,
      changed,
      open,
      accepted,
      migrations: slowest(account.migrated.map((each, index) => ({ ...each, underLoad: index >= seen }))),
    };
  } finally {
    await backend.stop();
  }
}

/** Migrations of the tree that match, for each database. */
function only(matches: (migration: Migration) => boolean): MigrationsOf {
  return (plan) => new Map([...readMigrationFiles(plan)].map(([database, all]) => [database, all.filter(matches)]));
}

function appended(migrations: ReadonlyMap<string, readonly Migration[]>, more: readonly Migration[]) {
  return new Map([...migrations].map(([database, all]) => [database, [...all, ...more]]));
}

interface Filled {
  readonly open: readonly string[];
  /** What each row says that had ended. */
  readonly ended: ReadonlyMap<string, string>;
}

async function fill(account: LiveAccount, rows: number, say: (line: string) => void): Promise<Filled> {
  const open: string[] = [];
  for (const [store, { uuid }] of account.stores().entries()) {
    const made = await oldRows(SECRETS.ID_SECRET, store, Math.round(rows / STORES.length), Date.now());
    for (let at = 0; at < made.length; at += CHUNK) {
      await account.ask(uuid, INSERT_OLD_ROWS, [JSON.stringify(made.slice(at, at + CHUNK))]);
    }
    open.push(...made.filter(({ status }) => !isTerminal(status)).map(({ id }) => id));
  }
  const ended = await endedRows(account);
  say(`${open.length + ended.size} rows in ${STORES.length} stores, ${open.length} of them open`);
  return { open, ended };
}

async function endedRows(account: LiveAccount): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { uuid } of account.stores()) {
    let after = '';
    for (;;) {
      const rows = await account.ask(
        uuid,
        `SELECT id, subject, service, status, run, finished_at, error, request, result FROM tasks
         WHERE id > ?1 AND finished_at IS NOT NULL ORDER BY id LIMIT ${CHUNK}`,
        [after],
      );
      for (const row of rows) found.set(String(row.id), JSON.stringify(row));
      if (rows.length < CHUNK) break;
      after = String(rows.at(-1)?.id);
    }
  }
  return found;
}

async function countChanged(account: LiveAccount, before: ReadonlyMap<string, string>): Promise<number> {
  const after = await endedRows(account);
  return [...before].filter(([id, row]) => after.get(id) !== row).length;
}

/** The slowest store of each migration. */
function slowest(all: readonly { readonly name: string; readonly ms: number; readonly underLoad: boolean }[]) {
  return [...Map.groupBy(all, ({ name }) => name)].map(([name, runs]) => ({
    name,
    slowestMs: Math.round(Math.max(...runs.map(({ ms }) => ms))),
    underLoad: runs.some(({ underLoad }) => underLoad),
  }));
}

/** @returns what is wrong; empty when all is as it should be */
export function faultsOfMigrations({ changed, migrations }: MigrationsReport): string[] {
  return [
    ...(changed === 0 ? [] : [`${changed} rows that had ended are not as they were`]),
    ...NEXT.filter(({ name }) => !migrations.some((one) => one.name === name && one.underLoad)).map(
      ({ name }) => `${name} did not run under load`,
    ),
  ];
}
