/**
 * The schema that the migrations lead to. `--write` puts it into the committed file; without
 * it that file must already say the same, so that a review sees what a migration changes. The file
 * stands in a folder of its own, because every `.sql` directly in `migrations/` is applied as one.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseOptionsOrExit } from '../terminal/options.ts';

const SCHEMA_FILE = 'migrations/schema/tasklane.sql';
const HEADER = '-- What the migrations lead to. Written by `npm run schema`; do not edit.\n';

/** Applies the migrations in the order of their names to an empty database and reads its schema back. */
function migratedSchema(): string {
  const database = new DatabaseSync(':memory:');
  for (const file of globSync('migrations/[0-9]*.sql').sort()) database.exec(readFileSync(file, 'utf8'));
  const statements = database
    .prepare(
      `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY tbl_name, type DESC, name`,
    )
    .all();
  database.close();
  return HEADER + statements.map(({ sql }) => `\n${String(sql)};\n`).join('');
}

function committedSchema(): string | undefined {
  try {
    return readFileSync(SCHEMA_FILE, 'utf8');
  } catch {
    return undefined;
  }
}

const schema = migratedSchema();
const { write } = parseOptionsOrExit({ options: { write: { type: 'boolean' } } }).values;
if (write) {
  mkdirSync(path.dirname(SCHEMA_FILE), { recursive: true });
  writeFileSync(SCHEMA_FILE, schema);
  console.log(`wrote ${SCHEMA_FILE}`);
} else if (committedSchema() === schema) {
  console.log(`${SCHEMA_FILE} is what the migrations lead to`);
} else {
  console.error(`${SCHEMA_FILE} is not what the migrations lead to; run: npm run schema`);
  process.exitCode = 1;
}
