/** Tokens that are refused before they expire, by their `jti`. */

export async function readRevokedTokens(db: D1Database, now: number): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT jti FROM revoked_tokens WHERE expires_at > ?1')
    .bind(now)
    .all<{ jti: string }>();
  return results.map((row) => row.jti);
}

/** @param expiresAt Unix ms: when the token would have ended anyway, and the entry may go */
export async function revokeToken(db: D1Database, jti: string, expiresAt: number): Promise<void> {
  await db
    .prepare(
      `INSERT INTO revoked_tokens (jti, expires_at) VALUES (?1, ?2)
       ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
    )
    .bind(jti, expiresAt)
    .run();
}

export async function deleteExpiredRevocations(db: D1Database, now: number): Promise<void> {
  await db.prepare('DELETE FROM revoked_tokens WHERE expires_at <= ?1').bind(now).run();
}
