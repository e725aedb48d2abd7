/**
 * Small documents of the control database, each known by its name. A write names the version that was read and
 * changes nothing when somebody else has written meanwhile.
 */

export interface Setting {
  /** JSON. */
  readonly value: string;
  readonly version: number;
}

/** The version of a document that is not there yet. */
const NONE = 0;

export async function readSetting(control: D1Database, name: string): Promise<Setting | undefined> {
  const row = await control.prepare('SELECT value, version FROM settings WHERE name = ?1').bind(name).first<Setting>();
  return row ?? undefined;
}

/** @returns false when the document is no longer as it was read */
export async function writeSetting(
  control: D1Database,
  name: string,
  value: string,
  read: Setting | undefined,
): Promise<boolean> {
  const { meta } = await control
    .prepare(
      `INSERT INTO settings (name, value, version) VALUES (?1, ?2, ?3 + 1)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value, version = excluded.version
       WHERE settings.version = ?3`,
    )
    .bind(name, value, read?.version ?? NONE)
    .run();
  return meta.changes > 0;
}
