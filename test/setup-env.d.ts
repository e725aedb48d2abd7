/** What `test/wrangler.jsonc` and `vitest.config.mts` put into `env` for tests inside workerd. */
declare namespace Cloudflare {
  interface Env {
    DB: D1Database;
    TASK_DB_0: D1Database;
    BODIES: R2Bucket;
    STORE_1: D1Database;
    STORE_2: D1Database;
    TEST_MIGRATIONS: import('cloudflare:test').D1Migration[];
    TASK_QUEUE_0: Queue;
    TASK_QUEUE_1: Queue;
    OWN_QUEUE: Queue;
    DEAD_QUEUE: Queue;
    KEY_POOL: DurableObjectNamespace<import('../consumer/keys/pool/key-pool.ts').KeyPool>;
    SERVER_REGISTRY: DurableObjectNamespace<import('../callback/registry/server-registry.ts').ServerRegistry>;
    JWT_SECRET: string;
    ID_SECRET: string;
    CALLBACK_SECRET: string;
    WEBHOOK_SECRET: string;
    ACCEPT: string;
    PUBLIC_URL: string;
    SHARD: string;
    RETENTION_DAYS: string;
    ALLOW_PRIVATE_TARGETS: string;
    SERVICES: Record<string, unknown>;
  }
}
