/**
 * Where groups are, and which of their tasks they take. A group's store is chosen once, by whoever names the group first, and
 * kept in the control database; an isolate keeps it for a while. A task is in its group when its row is: the row is
 * refused when the group is closed, in the statement that would write it.
 */
import { logError } from '../../shared/log.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import { recordEntered } from '../../shared/store/accept.ts';
import { stateOfStore } from '../../shared/store/fill.ts';
import { createGroup, placeGroup, readGroupStore } from '../../shared/store/groups.ts';
import { readStates } from '../../shared/store/read.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { fillsOf } from '../accept/store-choice.ts';
import { idKeyOf, type KnownGroups, type Runtime } from '../runtime.ts';

/** A group is kept for longer, so what is kept is true. */
const KEPT_MS = 3600_000;
const MAX_KEPT = 1_000;

const keyOf = (subject: string, name: string) => JSON.stringify([subject, name]);

/**
 * The store of a group, which is made when it is not there.
 * @param candidate where a new one goes
 * @returns `full`: its store has no room; `leaving`: its store is being removed, and takes nothing new
 */
export async function enterGroup(
  runtime: Runtime,
  subject: string,
  name: string,
  candidate: number,
): Promise<number | 'full' | 'leaving'> {
  const store = await knownOrMade(runtime, subject, name, candidate);
  const fill = fillsOf(runtime).find(({ number }) => number === store);
  if (fill === undefined || fill.isDraining) return 'leaving';
  return stateOfStore(fill, runtime.config.storeLimitBytes) === 'full' ? 'full' : store;
}

async function knownOrMade(runtime: Runtime, subject: string, name: string, candidate: number): Promise<number> {
  const { groups, config } = runtime;
  const now = Date.now();
  const known = groups.get(keyOf(subject, name));
  if (known?.isMade === true && now - known.at < KEPT_MS) return known.store;
  const group = { subject, name };
  const store = await placeGroup(config.stores.control, group, candidate);
  const db = config.stores.find(store)?.db;
  // Its store is not bound any more: nothing can be written there.
  if (db === undefined) return store;
  const message = await mintTaskId(await idKeyOf(runtime), subject, now, store);
  await createGroup(db, group, `${message}_w1`, now);
  keep(groups, keyOf(subject, name), { store, at: now, isMade: true });
  return store;
}

/** @returns undefined for a group that there is not */
export async function findGroup(runtime: Runtime, subject: string, name: string): Promise<D1Database | undefined> {
  const { groups, config } = runtime;
  const key = keyOf(subject, name);
  const now = Date.now();
  const known = groups.get(key);
  if (known !== undefined && now - known.at < KEPT_MS) return config.stores.find(known.store)?.db;
  const store = await readGroupStore(config.stores.control, { subject, name });
  if (store === undefined) return undefined;
  keep(groups, key, { store, at: now, isMade: false });
  return config.stores.find(store)?.db;
}

type Known = KnownGroups extends Map<string, infer Value> ? Value : never;

function keep(groups: KnownGroups, key: string, known: Known): void {
  groups.delete(key);
  groups.set(key, known);
  const [oldest] = groups.keys();
  if (groups.size > MAX_KEPT && oldest !== undefined) groups.delete(oldest);
}

/** False where nothing is promised; `group-closed` is for certain. */
export type Admitted = boolean | 'group-closed';

type Entering = NewTask & { readonly dueAt: number };

/** By id: whether each is in its group now. Of a store that does not answer nothing is certain. */
export async function admitToGroups({ config }: Runtime, tasks: readonly Entering[]): Promise<Map<string, Admitted>> {
  const answers = new Map<string, Admitted>();
  await Promise.all(
    config.stores
      .group(tasks, ({ id }) => id)
      .map(async ({ db, items }) => {
        try {
          const recorded = await recordEntered(db, items);
          const others = items.filter(({ id }) => !recorded.has(id)).map(({ id }) => id);
          // Submitted before, with the same key: it is in the group already.
          const known = others.length === 0 ? new Map() : await readStates(db, others);
          for (const { id } of items) answers.set(id, recorded.has(id) || known.has(id) || 'group-closed');
        } catch (error) {
          logError('accept.record.failed', { tasks: items.length }, error);
        }
      }),
  );
  return answers;
}
