/**
 * Work on tasks of several stores. Each store's part runs by itself, at the same time as the others, and a
 * store that does not answer costs only its own tasks: their part is left out of the answer, and whoever
 * asked comes again for them. Only when no store answers does the whole reject, so that it is repeated at once; not when
 * they have not answered for a while: who repeats it would hold up others.
 */
import { logError } from '../shared/log.ts';
import type { Store } from '../shared/store/stores.ts';
import { storeOfTask } from '../shared/task/id.ts';
import type { CallbackEnv, StoreEnv } from './env.ts';

type Stored = Pick<CallbackEnv, 'stores'>;
type InStore<Env> = Env & Pick<StoreEnv, 'db'>;

function inStore<Env extends Stored>(env: Env, { db }: Pick<Store, 'db'>): InStore<Env> {
  return { ...env, db };
}

/** A question that failed is repeated twice; so many failures in a row are an absence. */
const AN_ABSENCE = 4;

/** Runs `ask` once a store for the items that belong there. */
export async function answerByStore<Env extends Stored, Item, Answer>(
  env: Env,
  items: readonly Item[],
  idOf: (item: Item) => string,
  ask: (env: InStore<Env>, items: readonly Item[]) => Promise<readonly Answer[]>,
): Promise<Answer[]> {
  const groups = [...Map.groupBy(items, (item) => storeOfTask(idOf(item)))];
  try {
    return await gather(groups, async ([number, group]) => {
      const store = env.stores.find(number);
      if (store === undefined) throw new Error(`store ${number} is not bound`);
      return ask(inStore(env, store), group);
    });
  } catch (cause) {
    const isAbsent = ([number]: (typeof groups)[number]) =>
      (env.stores.find(number)?.gauge.failures ?? 0) >= AN_ABSENCE;
    if (!groups.every(isAbsent)) throw cause;
    logError('store.failed', {}, cause);
    return [];
  }
}

/** Runs `ask` in every store. */
export function inAllStores<Env extends Stored, Answer>(
  env: Env,
  ask: (env: InStore<Env>) => Promise<Answer>,
): Promise<Answer[]> {
  return gather(env.stores.all, async (store) => [await ask(inStore(env, store))]);
}

async function gather<Part, Answer>(
  parts: readonly Part[],
  ask: (part: Part) => Promise<readonly Answer[]>,
): Promise<Answer[]> {
  const answers = await Promise.allSettled(parts.map(ask));
  const failures = answers.filter((answer) => answer.status === 'rejected').map(({ reason }) => reason as unknown);
  if (failures.length > 0 && failures.length === parts.length) throw failures[0];
  for (const cause of failures) logError('store.failed', {}, cause);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}
