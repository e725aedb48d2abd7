/**
 * What is old is forgotten: bodies after `BODY_RETENTION_DAYS`, rows after `RETENTION_DAYS`, both counted
 * from the end of the task. Three walks over the primary key, each bounded a round:
 *
 * - `rows` deletes at the old end of the table,
 * - `bodies` follows the clock where tasks become old enough, and meets nearly all of them there,
 * - `late` goes round the whole table and finds what the others passed: tasks that took longer than an
 *   hour, or were retried by hand.
 *
 * Bodies in the bucket go with those in the row, after them: what a crash leaves there is an orphan (`orphans.ts`).
 */
import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { endLives, type Lives } from '../../shared/store/lives.ts';
import { readScanPositions, writeScanPositions } from '../../shared/store/scan-position.ts';
import { smallestTaskIdAt } from '../../shared/task/id.ts';

const WALKS = ['rows', 'bodies', 'late'] as const;
type Walk = (typeof WALKS)[number];

/**
 * Rows a statement: bodies are up to the inline limit each way, and one statement may take 30 s. Steps a round: 10,000
 * deletions a minute are 14 million a day, 5,000 looks 7.2 million rows read, which cost under a cent.
 */
const STEPS: Readonly<Record<Walk, { readonly limit: number; readonly count: number }>> = {
  rows: { limit: 1_000, count: 10 },
  bodies: { limit: 500, count: 20 },
  late: { limit: 1_000, count: 5 },
};

/** Most tasks have ended an hour after they were created. */
const FOLLOW_MS = 3600_000;

export interface RetentionSettings {
  /** Of the bodies that are too large for a row. */
  readonly bodies?: R2Bucket | undefined;
  readonly retentionMs: number;
  readonly bodyRetentionMs: number;
}

export interface Forgotten {
  /** Rows. */
  readonly deleted: number;
  readonly bodiesDeleted: number;
}

/** One round in one store. */
export async function forgetOld(db: D1Database, settings: RetentionSettings, now: number): Promise<Forgotten> {
  const { retentionMs, bodyRetentionMs, bodies } = settings;
  const rowsOf = now - retentionMs;
  const bodiesOf = now - bodyRetentionMs;
  const positions = await readScanPositions(db);
  let deleted = 0;
  let bodiesDeleted = 0;
  const moved = new Map<string, string>();

  const walk = async (name: Walk, before: string): Promise<void> => {
    const started = positions.get(name) ?? '';
    const { limit, count } = STEPS[name];
    let position = started;
    for (let step = 0; step < count; step++) {
      const lives: Lives = { after: position, before, bodiesOf, rowsOf, limit };
      const { deletedRows, deletedBodies, last, isEnd, objects } = await endLives(db, lives, now);
      deleted += deletedRows;
      bodiesDeleted += deletedBodies;
      await deleteBodies(bodies, objects);
      // Who follows the clock stays at the end; the others start over.
      if (name === 'bodies') position = last ?? position;
      else position = isEnd ? '' : (last ?? '');
      if (isEnd) break;
    }
    if (position !== started) moved.set(name, position);
  };

  await walk('rows', smallestTaskIdAt(rowsOf));
  // Bodies that live as long as their rows go with them.
  if (bodyRetentionMs < retentionMs) await walk('bodies', smallestTaskIdAt(bodiesOf - FOLLOW_MS));
  await walk('late', smallestTaskIdAt(Math.max(rowsOf, bodiesOf)));
  await writeScanPositions(db, moved);
  return { deleted, bodiesDeleted };
}
