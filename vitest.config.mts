/**
 * Three kinds of tests: `unit` (pure, in Node), `workers` (inside workerd, with D1 and queues), `e2e`
 * (the real local run over HTTP; one at a time, after the others, because each takes the machine).
 */
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    coverage: {
      provider: 'istanbul',
      include: ['shared/**', 'producer/**', 'consumer/**', 'callback/**', 'agent/**', 'deploy/**'],
    },
    reporters: ['default', ['json', { outputFile: '.wrangler/test-results.json' }]],
    // Tests of workerd start their own processes: two at once fill two processors.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          // Some start processes of their own, on a machine that may be busy.
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './test/wrangler.jsonc' },
            miniflare: { bindings: { TEST_MIGRATIONS: await readD1Migrations('migrations') } },
          })),
        ],
        test: {
          name: 'workers',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts', 'test/**/*.e2e.test.ts'],
          setupFiles: ['./test/setup.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/**/*.e2e.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
