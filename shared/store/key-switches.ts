/** Which API keys an administrator has switched off, or on again, in the control database: by fingerprint, on whichever shard they are. */
import type { KeySwitch } from '../key/switch.ts';

/** Those of these keys that anybody has ever switched. */
export async function readKeySwitches(control: D1Database, fingerprints: readonly string[]): Promise<KeySwitch[]> {
  const { results } = await control
    .prepare(`SELECT fingerprint, disabled_at FROM key_switches WHERE fingerprint IN (SELECT value FROM json_each(?1))`)
    .bind(JSON.stringify(fingerprints))
    .all<{ fingerprint: string; disabled_at: number | null }>();
  return results.map(({ fingerprint, disabled_at }) => ({ fingerprint, disabledAt: disabled_at }));
}

export async function keepKeySwitch(control: D1Database, { fingerprint, disabledAt }: KeySwitch): Promise<void> {
  await control
    .prepare(
      `INSERT INTO key_switches (fingerprint, disabled_at) VALUES (?1, ?2)
       ON CONFLICT (fingerprint) DO UPDATE SET disabled_at = excluded.disabled_at`,
    )
    .bind(fingerprint, disabledAt)
    .run();
}
