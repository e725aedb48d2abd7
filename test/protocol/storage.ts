/** Where tasks lie: the real databases, by the number in an id, and the real bucket for large bodies. */
import { env } from 'cloudflare:workers';
import { storeOfTask } from '../../shared/task/id.ts';
import { emptyBucket, type Uploads } from './bucket.ts';
import type { Clock } from './clock.ts';
import { emptyDatabase } from './database.ts';
import type { Row } from './promises.ts';

/** Databases and objects that a house before this one has written to: its tests may have ended anywhere. */
const written = new Set([env.DB]);
const uploads: Uploads = new Map();

export class Storage {
  readonly stores = new Map<number, D1Database>();
  /** Those that the callback Worker's next invocation knows. */
  known = (): ReadonlyMap<number, D1Database> => this.stores;
  /** Where the next task is to be. */
  next = () => 0;
  hasBucket = false;
  readonly uploads: Uploads = uploads;
  #read: { readonly writes: number; readonly rows: Row[] } | undefined;

  static async empty(): Promise<void> {
    await emptyBucket(env.BODIES, uploads);
    for (const db of written) await emptyDatabase(db);
    written.clear();
    written.add(env.DB);
  }

  constructor() {
    this.add(0, env.DB);
  }

  add(number: number, db: D1Database): void {
    written.add(db);
    this.stores.set(number, db);
  }

  async rows(clock: Clock, writes: number): Promise<Row[]> {
    if (this.#read?.writes === writes) return this.#read.rows;
    const rows = (await clock.outside(Promise.all([...this.stores].map(rowsOf)))).flat();
    this.#read = { writes, rows };
    return rows;
  }
}

/** @throws when a row is where its id does not lead */
async function rowsOf([number, db]: readonly [number, D1Database]): Promise<Row[]> {
  const { results: rows } = await db.prepare('SELECT * FROM tasks ORDER BY id').all<Row>();
  const stray = rows.find(({ id }) => storeOfTask(id) !== number);
  if (stray !== undefined) throw new Error(`${stray.id} has a row in store ${number}`);
  return rows;
}
