/**
 * The databases that hold the tasks. The store number in an id says where its row is: no lookup, and a
 * store that is added moves nothing. Statements of `shared/store/` take one database; what concerns tasks
 * of several stores is grouped here, runs in all of them at the same time, and comes together again.
 *
 * Tables that belong to no task (revoked tokens, say) live in `control`, which is the first store.
 */
import * as z from 'zod';
import { MisconfiguredError, numberedBindings } from '../env.ts';
import { storeOfTask } from '../task/id.ts';
import { D1_LIMIT_BYTES } from './fill.ts';
import { Gauge, watchedDatabase } from './watched-database.ts';

export interface Store {
  readonly number: number;
  readonly db: D1Database;
  /** What is known of it without asking. */
  readonly gauge: Gauge;
}

/** The bindings are `TASK_DB_0`, `TASK_DB_1`, …; gaps are stores that were removed. */
const STORE_PREFIX = 'TASK_DB_';

/** `STORE_LIMIT_BYTES`: what one store may hold. */
export const StoreLimitSchema = z.coerce
  .number({ error: 'is a number of bytes' })
  .positive({ error: 'is a number of bytes above 0' })
  .default(D1_LIMIT_BYTES);

/** `STORES_DRAINING`: the numbers of the stores that get no new tasks, as `2,3`. */
export const DrainingStoresSchema = z
  .string()
  .regex(/^\s*(?:\d+\s*(?:,\s*\d+\s*)*)?$/, { error: 'is a list of store numbers, as `2,3`' })
  .default('')
  .transform((list) => new Set(list.split(',').flatMap((item) => (item.trim() === '' ? [] : [Number(item)]))));

/** The task's row is in a database that this Worker is not bound to: of a newer release, or removed long ago. */
class UnknownStoreError extends Error {
  override readonly name = 'UnknownStoreError';
}

export class Stores {
  /** In the order of their numbers, at least one. */
  readonly all: readonly Store[];
  readonly control: D1Database;
  readonly #databases: ReadonlyMap<number, D1Database>;

  /** @throws MisconfiguredError without a first store */
  constructor(all: readonly Store[]) {
    const control = all.find(({ number }) => number === 0)?.db;
    if (control === undefined) {
      throw new MisconfiguredError([`${STORE_PREFIX}0: is missing; bind a D1 database of this name in wrangler.toml`]);
    }
    this.all = all;
    this.control = control;
    this.#databases = new Map(all.map(({ number, db }) => [number, db]));
  }

  find(number: number): Store | undefined {
    return this.all.find((store) => store.number === number);
  }

  /** Whether this Worker can reach the row of `id`. */
  has(id: string): boolean {
    return this.#databases.has(storeOfTask(id));
  }

  /** @throws UnknownStoreError */
  of(id: string): D1Database {
    const number = storeOfTask(id);
    const db = this.#databases.get(number);
    if (db === undefined) throw new UnknownStoreError(`${STORE_PREFIX}${number} is not bound here`);
    return db;
  }

  /** Runs `ask` once a store for the items that belong there; rejects when one of the stores does. */
  async collect<Item, Row>(
    items: readonly Item[],
    idOf: (item: Item) => string,
    ask: (db: D1Database, items: readonly Item[]) => Promise<readonly Row[]>,
  ): Promise<Row[]> {
    return (await Promise.all(this.group(items, idOf).map(({ db, items: group }) => ask(db, group)))).flat();
  }

  /** @throws UnknownStoreError */
  group<Item>(items: readonly Item[], idOf: (item: Item) => string): { db: D1Database; items: Item[] }[] {
    return [...Map.groupBy(items, (item) => this.of(idOf(item)))].map(([db, group]) => ({ db, items: group }));
  }
}

/** @throws MisconfiguredError without a first store */
export function storesIn(env: object): Stores {
  const bindings = numberedBindings<D1Database>(env, STORE_PREFIX);
  return new Stores(
    bindings.map(({ index, binding }) => {
      const gauge = new Gauge();
      return { number: index, db: watchedDatabase(binding, gauge), gauge };
    }),
  );
}
