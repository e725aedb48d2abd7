/** What stores weighed, hour by hour, in the control database. */

/** How long samples are kept; a pace is that of the last day. */
const KEPT_HOURS = 48;
const PACE_HOURS = 24;
const HOUR_MS = 3600_000;

/** The database's size, in an answer that reads no row. */
export async function askSize(db: D1Database): Promise<void> {
  await db.prepare('SELECT 1 AS size').run();
}

/** Notes sizes once an hour and store; more often changes nothing. */
export async function noteStoreSizes(
  control: D1Database,
  sizes: readonly { readonly store: number; readonly bytes: number }[],
  now: number,
): Promise<void> {
  const hour = Math.floor(now / HOUR_MS);
  await control
    .prepare(
      `INSERT INTO store_sizes (hour, store, bytes)
       SELECT ?2, value->>'store', value->>'bytes' FROM json_each(?1) WHERE true
       ON CONFLICT (hour, store) DO NOTHING`,
    )
    .bind(JSON.stringify(sizes), hour)
    .run();
  await control
    .prepare('DELETE FROM store_sizes WHERE hour < ?1')
    .bind(hour - KEPT_HOURS)
    .run();
}

/** By store, the oldest size of the last day. */
export async function readStoreSizes(
  control: D1Database,
  now: number,
): Promise<Map<number, { readonly bytes: number; readonly at: number }>> {
  const { results } = await control
    .prepare('SELECT hour, store, bytes FROM store_sizes WHERE hour >= ?1 ORDER BY hour')
    .bind(Math.floor(now / HOUR_MS) - PACE_HOURS)
    .all<{ hour: number; store: number; bytes: number }>();
  const oldest = new Map<number, { bytes: number; at: number }>();
  for (const { hour, store, bytes } of results) {
    if (!oldest.has(store)) oldest.set(store, { bytes, at: hour * HOUR_MS });
  }
  return oldest;
}
