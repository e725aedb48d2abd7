/**
 * The paths whose cost is designed, each as a piece of real work and how many units it was. Budgets
 * are those of the design; what a path may cost is checked, not only printed.
 */
import { JOB_PATHS } from './job-paths.ts';
import { LIST_PATHS } from './list-paths.ts';
import type { MeteredRun } from './metered-run.ts';
import { BATCH, DAY_MS, type Path, submitBatch } from './path.ts';
import { plantTasks } from './planted-tasks.ts';

const FEW = 10;

const ALONE = 20;

/** A task in a batch of ten that asks an object for what it needs and reports to it. */
const ASKING_ONE_OBJECT = { queueOperations: 3, rowsWritten: 2.1, durableObjectCalls: 0.25, mostInvocations: 32 };

/** Hundreds of tasks, one after the other, each to its end. */
async function runBatches(run: MeteredRun, task: object, batches = 10): Promise<number> {
  for (let batch = 0; batch < batches; batch++) {
    await submitBatch(run, task);
    await run.idle();
  }
  return batches * BATCH;
}

/** Tasks that come alone, one after the other, each to its end. */
async function runAlone(run: MeteredRun, task: object): Promise<number> {
  for (let each = 0; each < ALONE; each++) {
    await run.call('POST', '/api/task', 202, task);
    await run.idle();
  }
  return ALONE;
}

const LARGE_CHARS = 300 * 1024;

/** Tasks whose bodies lie in the bucket, one after the other: each is echoed, and its result downloaded. */
async function runLarge(run: MeteredRun, task: object, count = FEW): Promise<number> {
  for (let each = 0; each < count; each++) {
    const { id } = await run.call<{ id: string }>('POST', '/api/task', 202, { service: 'echo', ...task });
    await run.idle();
    await run.download(`/api/task/${id}/result`);
  }
  return count;
}

let finished: string | undefined;

async function finishOne(run: MeteredRun): Promise<void> {
  const { id } = await run.call<{ id: string }>('POST', '/api/task', 202, { service: 'quick' });
  await run.idle();
  finished = id;
}

/** So many that what a round costs whatever there is to do says little. */
const OLD = 5_000;

export const PATHS: readonly Path[] = [
  {
    name: 'accept, single',
    budget: { queueOperations: 1, statements: 0, rowsWritten: 0 },
    of: 'producer',
    async work(run) {
      for (let task = 0; task < 100; task++) await run.call('POST', '/api/task', 202, { service: 'quick' });
      return 100;
    },
  },
  {
    name: 'accept, batch of 100, per task',
    budget: { queueOperations: 1, statements: 0, rowsWritten: 0 },
    of: 'producer',
    async work(run) {
      await submitBatch(run, { service: 'quick' });
      return BATCH;
    },
  },
  {
    name: 'accept, single, with an idempotency key',
    budget: { queueOperations: 1, statements: 1, rowsWritten: 1 },
    of: 'producer',
    async work(run) {
      for (let task = 0; task < 100; task++) {
        await run.call('POST', '/api/task', 202, { service: 'quick', idempotencyKey: crypto.randomUUID() });
      }
      return 100;
    },
  },
  {
    name: 'synchronous task, first try, per task in batches of 10',
    budget: {
      queueOperations: 3,
      statements: 0.25,
      rowsWritten: 2.1,
      durableObjectCalls: 0.25,
      durableObjectRowsWritten: 0.01,
      mostInvocations: 32,
    },
    work: (run) => runBatches(run, { service: 'quick', payload: { page: 1 } }),
  },
  {
    name: "synchronous task with a pool's key, per task in batches of 10",
    budget: { ...ASKING_ONE_OBJECT, durableObjectRowsWritten: 0.05 },
    work: (run) => runBatches(run, { service: 'keyed', payload: { page: 1 } }),
  },
  {
    name: 'synchronous task on registered servers, per task in batches of 10',
    budget: { ...ASKING_ONE_OBJECT, durableObjectRowsWritten: 0.05 },
    prepare: (run) => run.join('served', 3),
    work: (run) => runBatches(run, { service: 'served', payload: { page: 1 } }, 3),
  },
  {
    name: "synchronous task on registered servers with a pool's key, per task in batches of 10",
    budget: { ...ASKING_ONE_OBJECT, durableObjectCalls: 0.45, durableObjectRowsWritten: 0.05 },
    prepare: (run) => run.join('served-keyed', 3),
    work: (run) => runBatches(run, { service: 'served-keyed', payload: { page: 1 } }, 3),
  },
  {
    name: 'task that is parked and woken by the return of its server',
    budget: { queueOperations: 6, rowsWritten: 6 },
    async work(run) {
      await submitBatch(run, { service: 'late', payload: { page: 1 } });
      await run.parked(BATCH);
      await run.join('late', 1);
      await run.idle();
      return BATCH;
    },
  },
  {
    name: 'the same with a priority',
    budget: { queueOperations: 6, rowsWritten: 6 },
    async work(run) {
      await submitBatch(run, { service: 'late-ordered', payload: { page: 1 }, priority: 1 });
      await run.parked(BATCH);
      await run.join('late-ordered', 1);
      await run.idle();
      return BATCH;
    },
  },
  {
    name: 'synchronous task, first try, alone',
    // Two rows are the task's own. Statistics add five every ten seconds, which few tasks share here.
    budget: { queueOperations: 3, rowsWritten: 3 },
    work: (run) => runAlone(run, { service: 'quick' }),
  },
  {
    name: 'asynchronous task with callback',
    budget: { rowsWritten: 4.1 },
    work: (run) => runBatches(run, { service: 'async', path: '/async?ms=300&steps=0' }, 2),
  },
  {
    name: 'task that fails once and is retried',
    budget: { rowsWritten: 4.1 },
    work: (run) => runBatches(run, { service: 'flaky', path: '/flaky?failures=1' }, 2),
  },
  {
    name: 'task that fails at its service and goes on to its fallback',
    budget: { queueOperations: 6.1, rowsWritten: 5.1 },
    work: (run) =>
      runBatches(
        run,
        { service: 'flaky', path: '/flaky?failures=1', retry: { maxAttempts: 1 }, fallback: ['quick'] },
        2,
      ),
  },
  {
    name: 'task that is deferred once (429)',
    budget: { queueOperations: 6, rowsWritten: 6 },
    async work(run) {
      await submitBatch(run, { service: 'busy', path: '/closed?seconds=1' });
      await run.idle();
      return BATCH;
    },
  },
  {
    name: 'poll of a finished task, cold',
    budget: { rowsRead: 1, rowsWritten: 0 },
    prepare: finishOne,
    async work(run) {
      await run.call('GET', `/api/task/${finished}`, 200);
      return 1;
    },
    of: 'producer',
  },
  {
    name: 'poll of a finished task, hot',
    budget: { statements: 0, rowsRead: 0 },
    async work(run) {
      for (let poll = 0; poll < 100; poll++) await run.call('GET', `/api/task/${finished}`, 200);
      return 100;
    },
    of: 'producer',
  },
  {
    name: 'task with a ref and two labels, per task in batches of 10',
    budget: { queueOperations: 3, rowsWritten: 5.1 },
    work: (run) =>
      runBatches(run, { service: 'quick', ref: 'order-77', labels: { customer: 'acme', tier: 'gold' } }, 2),
  },
  {
    name: 'task that starts a second later, per task in batches of 10',
    budget: { queueOperations: 3, rowsWritten: 3.1 },
    work: (run) => runBatches(run, { service: 'quick', delaySeconds: 1 }, 2),
  },
  {
    name: "stream of a task's events until its end after three seconds: the producer",
    budget: { queueOperations: 1, rowsWritten: 0, rowsRead: 10 },
    async work(run) {
      const follow = async () => {
        const { id } = await run.call<{ id: string }>('POST', '/api/task', 202, {
          service: 'echo',
          path: '/slow?ms=3000',
        });
        await run.download(`/api/task/${id}/events`);
      };
      await Promise.all(Array.from({ length: FEW }, follow));
      await run.idle();
      return FEW;
    },
    of: 'producer',
  },
  {
    name: 'run of a schedule, asked for at once: its task included',
    budget: { queueOperations: 3, rowsWritten: 3.1 },
    async prepare(run) {
      const schedule = { name: 'ops', cron: '0 0 1 1 *', task: { service: 'quick' } };
      await run.call('POST', '/api/schedules', 201, schedule);
      await run.idle();
    },
    async work(run) {
      // Several, as what statistics add every ten seconds would be all of one's.
      for (let task = 0; task < FEW; task++) {
        await run.call('POST', '/api/schedules/ops/run', 202);
        await run.idle();
      }
      return FEW;
    },
  },
  {
    name: 'task with a payload and a result of 300 KB, which is downloaded',
    budget: { queueOperations: 3, rowsWritten: 4.1, bucketWrites: 2, bucketReads: 2 },
    work: (run) => runLarge(run, { payload: 'x'.repeat(LARGE_CHARS) }),
  },
  {
    name: 'task with a payload of 300 KB that is uploaded by link, and a result that is downloaded',
    budget: { queueOperations: 3, rowsWritten: 4.1, bucketWrites: 3, bucketReads: 4 },
    async work(run) {
      for (let task = 0; task < FEW; task++) {
        const upload = await run.call<{ id: string; url: string }>('POST', '/api/uploads', 201, { bytes: LARGE_CHARS });
        const put = await fetch(upload.url, { method: 'PUT', body: 'x'.repeat(LARGE_CHARS) });
        if (!put.ok) throw new Error(`the upload answered ${put.status}`);
        await runLarge(run, { payloadUpload: upload.id }, 1);
      }
      return FEW;
    },
  },
  ...LIST_PATHS,
  {
    name: 'sweep with nothing due',
    // It notes that it came, and looks at 5,000 tasks for strays.
    budget: { rowsWritten: 1, rowsRead: 6_000 },
    of: 'cron',
    // What the paths before have left to be forgotten.
    prepare: (run) => run.tick(),
    async work(run) {
      await run.tick();
      return 1;
    },
  },
  {
    name: 'retention, per task deleted',
    // A look, the deletion, and a share of the round.
    budget: { rowsWritten: 1.002, rowsRead: 6 },
    of: 'cron',
    prepare: async (run) => plantTasks(run, Date.now() - 100 * DAY_MS, OLD),
    async work(run) {
      await run.tick();
      return OLD;
    },
  },
  // What follows makes the tables larger than a round of the sweeper walks.
  {
    name: 'task in a flow, per task in batches of 10',
    // A row for a question and one for a report (decision 0093); a flow's object makes its table first.
    budget: { ...ASKING_ONE_OBJECT, durableObjectRowsWritten: 0.25 },
    work: (run) => runBatches(run, { service: 'quick', flow: { key: 'acme', concurrency: 200 } }, 3),
  },
  {
    name: 'task at a service with maxConcurrency, per task in batches of 10',
    budget: { ...ASKING_ONE_OBJECT, durableObjectRowsWritten: 0.25 },
    work: (run) => runBatches(run, { service: 'placed' }, 3),
  },
  {
    name: 'task at a service with maxConcurrency, alone',
    budget: { queueOperations: 3, rowsWritten: 3, durableObjectRowsWritten: 2.1 },
    work: (run) => runAlone(run, { service: 'placed' }),
  },
  {
    name: 'accept, single, at a service with a quota: the producer, beside an object call',
    budget: { queueOperations: 1, statements: 0.1, rowsWritten: 0 },
    async work(run) {
      for (let task = 0; task < 100; task++) await run.call('POST', '/api/task', 202, { service: 'rationed' });
      await run.idle();
      return 100;
    },
    of: 'producer',
  },
  ...JOB_PATHS,
  {
    name: 'task that joins a group by its batch, per task in batches of 10',
    budget: { queueOperations: 3.1, rowsWritten: 7.2 },
    async work(run) {
      for (let batch = 0; batch < 2; batch++) {
        const tasks = Array.from({ length: BATCH }, () => ({ service: 'quick' }));
        await run.call('POST', '/api/tasks/batch', 202, { group: `operations-${batch}`, tasks });
        await run.idle();
      }
      return 2 * BATCH;
    },
  },
  {
    name: 'task whose end is told to its hook, per task in batches of 10',
    budget: { queueOperations: 6.1, rowsWritten: 6.2 },
    work: (run) => runBatches(run, { service: 'quick', onComplete: { url: `${run.backendUrl}/quick` } }, 2),
  },
];
