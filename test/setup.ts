/**
 * Before and after each test file: its runtime has served other files. It finds an empty database with
 * the migrations and no Durable Object, and leaves no mock behind.
 */
import { applyD1Migrations, reset } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, vi } from 'vitest';

await reset();
for (const db of [env.DB, env.STORE_1, env.STORE_2]) await applyD1Migrations(db, env.TEST_MIGRATIONS);

afterAll(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
