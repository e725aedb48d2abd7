/** Ten thousand tasks with one call in ten failing, and every message delivered twice. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { importMacKey } from '../../shared/crypto/mac.ts';
import { newTaskMessage } from '../../shared/message/task-message.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { allEnded, Client, type Pipeline, SECRETS, startPipeline, statusesIn } from './pipeline.ts';

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline();
});
afterAll(() => pipeline?.[Symbol.asyncDispose]());

it('10,000 tasks with 10% transient failures all end, none twice, and all counts agree', async () => {
  const TASKS = 10_000;
  pipeline.backend.log.reset();
  const alice = await Client.as(pipeline.run.url, 'alice');
  const ids: string[] = [];
  for (let at = 0; at < TASKS; at += 1000) {
    ids.push(
      ...(await alice.submitMany(
        Array.from({ length: 1000 }, () => ({ service: 'random', path: '/random?failRate=0.1' })),
      )),
    );
  }
  expect(new Set(ids).size).toBe(TASKS);
  await allEnded(pipeline.database, TASKS, 120_000);

  const backend = pipeline.backend.log.report();
  expect(backend.keys).toBe(TASKS);
  expect(Object.values(backend.byKey).filter(({ successes }) => successes !== 1)).toEqual([]);
  expect(statusesIn(pipeline.database)).toEqual({ succeeded: TASKS });

  const listed = await alice.list();
  expect(listed).toHaveLength(TASKS);
  expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(ids));
  expect(listed.every(({ status }) => status === 'succeeded')).toBe(true);
  expect(await alice.list('&status=failed')).toEqual([]);
});

it('1,000 tasks whose messages are all delivered twice run once each', async () => {
  const TASKS = 1000;
  pipeline.backend.log.reset();
  const before = statusesIn(pipeline.database);
  const queue = await pipeline.run.miniflare.getQueueProducer('TASK_QUEUE_0', 'tasklane-producer');
  const key = await importMacKey(SECRETS.ID_SECRET);
  const messages = await Promise.all(
    Array.from({ length: TASKS }, async () => {
      const now = Date.now();
      const id = await mintTaskId(key, 'alice', now, 0);
      const policy = { maxAttempts: 5, baseSeconds: 1, capSeconds: 4 };
      const task = { id, subject: 'alice', service: 'quick', policy, deadlineAt: now + 3600_000, request: {} };
      return { body: newTaskMessage(task), contentType: 'json' as const };
    }),
  );
  for (let at = 0; at < TASKS; at += 50) {
    const chunk = messages.slice(at, at + 50);
    // Twice in one batch, and once more for later batches.
    await queue.sendBatch([...chunk, ...chunk]);
    await queue.sendBatch(chunk);
  }
  const total = Object.values(before).reduce((sum, tasks) => sum + tasks, 0) + TASKS;
  await allEnded(pipeline.database, total, 60_000);
  const backend = pipeline.backend.log.report();
  expect(backend).toMatchObject({ keys: TASKS, calls: TASKS, successes: TASKS });
});
