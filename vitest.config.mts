/**
 * Four kinds of tests, one kind after the other: `unit` (pure, in Node), `workers` (inside workerd, with D1
 * and queues), `e2e` (real processes over HTTP, which mostly wait), `load` (the same, one at a time, because
 * each takes the machine or is about seconds).
 */
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/** Real processes on a machine that may be busy: patience costs nothing where a test is green. */
const PATIENT = { poll: { timeout: 30_000, interval: 100 } };

/** On a machine that nobody watches such a test is tried once more; the report names it (`retry x1`). */
const SECOND_TRY = process.env.CI === 'true' ? 1 : 0;

/** Of the `e2e` tests those that are to have the machine for themselves. */
const LOAD = ['crash', 'many-tasks', 'cluster'].map((name) => `test/e2e/${name}.e2e.test.ts`);

export default defineConfig({
  test: {
    coverage: {
      provider: 'istanbul',
      include: [
        'shared/**',
        'producer/**',
        'consumer/**',
        'callback/**',
        'agent/**',
        'deploy/**',
        'local/**',
        'rehearse/**',
      ],
    },
    reporters: ['default', ['json', { outputFile: '.wrangler/test-results.json' }]],
    // Files at once: tests of workerd start their own processes, two of which fill two processors.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          setupFiles: ['./test/setup-zod.ts'],
          // Pure modules keep nothing, and processes take longer to start than most files take.
          isolate: false,
          // Some start processes of their own, on a machine that may be busy.
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './test/wrangler.jsonc' },
            miniflare: {
              bindings: {
                TEST_MIGRATIONS: await readD1Migrations('migrations'),
                FUZZ_SEED: process.env.FUZZ_SEED ?? '',
                FUZZ_CASES: process.env.FUZZ_CASES ?? '2000',
                ...(process.env.SCHEDULES !== undefined && { SCHEDULES: process.env.SCHEDULES }),
                ...(process.env.FIRST_SCHEDULE !== undefined && { FIRST_SCHEDULE: process.env.FIRST_SCHEDULE }),
              },
            },
          })),
        ],
        test: {
          name: 'workers',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts', 'test/**/*.e2e.test.ts'],
          setupFiles: ['./test/setup-zod.ts', './test/setup.ts'],
          // A runtime takes longer to start than most files take: they share two, and `setup.ts` empties them.
          isolate: false,
          testTimeout: 20_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/**/*.e2e.test.ts'],
          exclude: LOAD,
          testTimeout: 180_000,
          hookTimeout: 60_000,
          expect: PATIENT,
          retry: SECOND_TRY,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'load',
          include: LOAD,
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 60_000,
          expect: PATIENT,
          retry: SECOND_TRY,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
