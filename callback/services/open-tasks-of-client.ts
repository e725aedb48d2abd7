/** How many tasks of a client a service has that have not ended, over all stores; bounded in what it reads. */
import { findTasks } from '../../shared/store/find.ts';
import { OPEN_STATUSES } from '../../shared/task/status.ts';
import { inAllStores } from '../by-store.ts';
import type { CallbackEnv } from '../env.ts';

/** Of each store; each examines up to 10,000 rows. */
const MAX_WINDOWS = 10;

/** @param createdBefore Unix ms @returns at least how many, up to `limit` */
export async function countOpenOfClient(
  env: Pick<CallbackEnv, 'stores'>,
  subject: string,
  service: string,
  createdBefore: number,
  limit: number,
): Promise<number> {
  const counts = await inAllStores(env, async ({ db }) => {
    let count = 0;
    let before: string | undefined;
    for (let window = 0; window < MAX_WINDOWS && count < limit; window++) {
      const filter = { subject, service, statuses: OPEN_STATUSES, createdBefore, limit: limit - count };
      const page = await findTasks(db, 'id', { ...filter, ...(before !== undefined && { before }) });
      count += page.rows.length;
      before = page.nextBefore;
      if (before === undefined) break;
    }
    return count;
  });
  return Math.min(
    limit,
    counts.reduce((sum, count) => sum + count, 0),
  );
}
