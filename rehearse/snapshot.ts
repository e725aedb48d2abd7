/** All that an account holds, as plain data: two accounts that look the same are the same. */
import type { FakeCloudflare } from './fake-cloudflare.ts';

export function snapshotOf(cloud: FakeCloudflare) {
  return {
    scripts: sorted(
      [...cloud.scripts.values()].map((script) => ({
        name: script.name,
        bindings: sorted(script.metadata.bindings.map((binding) => ({ ...binding }))),
        annotations: script.metadata.annotations,
        isNewest: script.live === script.newest,
        settings: script.settings,
        secrets: Object.fromEntries([...script.secrets].sort()),
        migrationTag: script.migrationTag,
        crons: script.crons,
        hasAddress: script.hasAddress,
        hasPreviews: script.hasPreviews,
        domains: script.domains,
      })),
    ),
    queues: sorted(
      [...cloud.queues.values()].map(({ name, settings, consumers }) => ({
        name,
        settings,
        consumers: [...consumers.values()],
      })),
    ),
    databases: sorted(
      [...cloud.databases.values()].map(({ name, database }) => ({
        name,
        schema: database.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all(),
        migrations: database.prepare('SELECT name FROM d1_migrations ORDER BY id').all(),
      })),
    ),
    buckets: [...cloud.buckets].sort(),
  };
}

function sorted<Item extends { readonly name: string }>(items: readonly Item[]): Item[] {
  return [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
}
