/** Where the slow walks over a store's tasks stand, by name: the last id that was looked at. */

export async function readScanPositions(db: D1Database): Promise<Map<string, string>> {
  const { results } = await db.prepare('SELECT name, position FROM scans').all<{ name: string; position: string }>();
  return new Map(results.map(({ name, position }) => [name, position]));
}

export async function writeScanPositions(db: D1Database, positions: ReadonlyMap<string, string>): Promise<void> {
  if (positions.size === 0) return;
  await db
    .prepare(
      `INSERT INTO scans (name, position) SELECT key, value FROM json_each(?1) WHERE true
       ON CONFLICT (name) DO UPDATE SET position = excluded.position`,
    )
    .bind(JSON.stringify(Object.fromEntries(positions)))
    .run();
}
