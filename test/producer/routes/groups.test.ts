/** Groups and hooks through the producer's app: what is recorded and refused, and who sees what. */

import { applyD1Migrations } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readEnv } from '../../../callback/env.ts';
import { changeGroup } from '../../../callback/groups.ts';
import { signToken } from '../../../shared/auth/token.ts';
import type { GroupRequest } from '../../../shared/ledger/rpc.ts';
import { storeOfTask } from '../../../shared/task/id.ts';
import { ask, callbackStub, documentIn, environment, queueStub, tokenFor } from '../client.ts';

const URL = 'https://hooks.example.com/tasks?team=blue';

function producer(overrides: Record<string, unknown> = {}) {
  const queue = queueStub();
  const callback = {
    ...callbackStub({ ok: true, status: 'queued', changed: true }),
    changeGroup: async (request: GroupRequest) => changeGroup(await readEnv(env as object), request, Date.now()),
  };
  return {
    queue,
    bindings: environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue, CALLBACK: callback, ...overrides }),
  };
}

const rowOf = (id: unknown) =>
  env.DB.prepare('SELECT status, group_name, on_complete, due_at FROM tasks WHERE id = ?1').bind(id).first();

const problemsIn = (document: Record<string, unknown>) =>
  (document.results as { problem?: { type: string } }[]).map(({ problem }) => problem?.type.split('/').at(-1));

beforeAll(() => applyD1Migrations(env.STORE_1, env.TEST_MIGRATIONS));

afterEach(async () => {
  for (const table of ['tasks', 'groups', 'group_stores', 'idempotency_keys'])
    await env.DB.exec(`DELETE FROM ${table}`);
});

describe('a task of a group', () => {
  it('has its row before its message is sent, is counted, and is found by its group', async () => {
    const { queue, bindings } = producer();
    const { id } = await documentIn(await ask(bindings, '/api/task', { body: { service: 'echo', group: 'night-7' } }));
    expect(queue.sent.map(({ task }) => task.id)).toEqual([id]);
    expect(await rowOf(id)).toMatchObject({ status: 'queued', group_name: 'night-7', due_at: expect.any(Number) });
    expect(await documentIn(await ask(bindings, '/api/groups/night-7'))).toMatchObject({
      id: 'night-7',
      status: 'open',
      total: 1,
      counts: { open: 1 },
    });
    const { tasks } = await documentIn(await ask(bindings, '/api/tasks?group=night-7'));
    expect(tasks).toMatchObject([{ id, group: 'night-7' }]);
    expect(await documentIn(await ask(bindings, '/api/tasks/count?group=night-8'))).toMatchObject({ count: 0 });
  });

  it('is taken when no queue takes it: its row carries it', async () => {
    vi.spyOn(console, 'error').mockReturnValue(undefined);
    const { bindings } = producer({ TASK_QUEUE_0: queueStub(true), TASK_QUEUE_1: queueStub(true) });
    const answer = await ask(bindings, '/api/task', { body: { service: 'echo', group: 'night-7' } });
    expect(answer.status).toBe(202);
  });

  it('is refused by a group that is closed, and by a name that is none', async () => {
    const { queue, bindings } = producer();
    await ask(bindings, '/api/task', { body: { service: 'echo', group: 'night-7' } });
    expect((await ask(bindings, '/api/groups/night-7/close', { method: 'POST' })).status).toBe(200);
    const late = await ask(bindings, '/api/task', { body: { service: 'echo', group: 'night-7' } });
    expect(late.status).toBe(409);
    expect(await documentIn(late)).toMatchObject({
      type: '/docs/problems/group-closed',
      errors: [{ field: '/group' }],
    });
    expect(queue.sent).toHaveLength(1);
    const odd = await ask(bindings, '/api/task', { body: { service: 'echo', group: 'a/b' } });
    expect(await documentIn(odd)).toMatchObject({
      type: '/docs/problems/invalid-request',
      errors: [{ field: '/group' }],
    });
  });

  it('repeated with its key after the group was closed is the one that it was', async () => {
    const { bindings } = producer();
    const body = { service: 'echo', group: 'night-7', idempotencyKey: 'k1' };
    const first = await documentIn(await ask(bindings, '/api/task', { body }));
    await ask(bindings, '/api/groups/night-7/close', { method: 'POST' });
    expect(await documentIn(await ask(bindings, '/api/task', { body }))).toMatchObject({
      id: first.id,
      replayed: true,
    });
    const other = await ask(bindings, '/api/task', { body: { ...body, idempotencyKey: 'k2' } });
    expect(other.status).toBe(409);
  });

  it('is in the store of its group, whichever store the next task would be in', async () => {
    const { queue, bindings } = producer({ TASK_DB_1: env.STORE_1 });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const tasks = Array.from({ length: 3 }, () => ({ service: 'echo', group: `stores-${name}` }));
      await ask(bindings, '/api/tasks/batch', { body: { tasks } });
      await ask(bindings, '/api/task', { body: { service: 'echo', group: `stores-${name}` } });
      expect(await documentIn(await ask(bindings, `/api/groups/stores-${name}`))).toMatchObject({ total: 4 });
    }
    const stores = Map.groupBy(queue.sent, ({ task }) => task.group);
    expect(stores.size).toBe(6);
    for (const sent of stores.values()) expect(new Set(sent.map(({ task }) => storeOfTask(task.id))).size).toBe(1);
  });
});

describe('a group whose store is being removed', () => {
  it('takes no more tasks, so that the store becomes empty', async () => {
    const { bindings } = producer({ TASK_DB_1: env.STORE_1 });
    await env.DB.prepare(`INSERT INTO group_stores (subject, name, store) VALUES ('alice', 'old', 1)`).run();
    expect((await ask(bindings, '/api/task', { body: { service: 'echo', group: 'old' } })).status).toBe(202);
    const leaving = producer({ TASK_DB_1: env.STORE_1, STORES_DRAINING: '1' });
    const answer = await ask(leaving.bindings, '/api/task', { body: { service: 'echo', group: 'old' } });
    expect(await documentIn(answer)).toMatchObject({ type: '/docs/problems/group-closed' });
    expect(leaving.queue.sent).toEqual([]);
  });
});

describe('a batch with a group', () => {
  it('closes it when all of its tasks were taken, and leaves it open for what was refused', async () => {
    const { bindings } = producer();
    const good = { service: 'echo' };
    const partly = await documentIn(
      await ask(bindings, '/api/tasks/batch', { body: { group: 'night-7', tasks: [good, { service: 'nope' }] } }),
    );
    expect(partly).toMatchObject({ group: { id: 'night-7', closed: false } });
    expect(problemsIn(partly)).toEqual([undefined, 'unknown-service']);
    const rest = await documentIn(
      await ask(bindings, '/api/tasks/batch', { body: { group: 'night-7', tasks: [good] } }),
    );
    expect(rest).toMatchObject({ group: { closed: true } });
    const late = await documentIn(
      await ask(bindings, '/api/tasks/batch', { body: { group: 'night-7', tasks: [good] } }),
    );
    expect(problemsIn(late)).toEqual(['group-closed']);
    expect(await documentIn(await ask(bindings, '/api/groups/night-7'))).toMatchObject({ status: 'closed', total: 2 });
  });

  it('may keep it open, and refuses a task that names another', async () => {
    const { bindings } = producer();
    const tasks = [{ service: 'echo' }, { service: 'echo', group: 'other' }];
    const document = await documentIn(
      await ask(bindings, '/api/tasks/batch', { body: { group: { id: 'night-7', keepOpen: true }, tasks } }),
    );
    expect(document).toMatchObject({ group: { closed: false } });
    expect(problemsIn(document)).toEqual([undefined, 'invalid-request']);
  });

  it('says whom its end is told to', async () => {
    const { bindings } = producer();
    const group = { id: 'night-7', onComplete: { url: URL, on: ['failed'] } };
    await ask(bindings, '/api/tasks/batch', { body: { group, tasks: [{ service: 'echo' }] } });
    expect(await documentIn(await ask(bindings, '/api/groups/night-7'))).toMatchObject({
      onComplete: { url: URL, on: ['failed'], format: 'standard' },
    });
  });
});

describe('groups', () => {
  it("are their owner's: others do not see them, an administrator names the owner", async () => {
    const { bindings } = producer();
    await ask(bindings, '/api/groups', { body: { id: 'night-7' } });
    const bob = { token: await tokenFor('bob') };
    const admin = { token: await tokenFor('root', 'admin') };
    expect((await ask(bindings, '/api/groups/night-7', bob)).status).toBe(404);
    expect((await ask(bindings, '/api/groups/night-7?subject=alice', bob)).status).toBe(404);
    expect((await ask(bindings, '/api/groups/night-7?subject=alice', admin)).status).toBe(200);
    await ask(bindings, '/api/task', { ...bob, body: { service: 'echo', group: 'night-7' } });
    const listed = async (who: object) => (await documentIn(await ask(bindings, '/api/groups', who))).groups;
    expect(await listed(bob)).toMatchObject([{ subject: 'bob', total: 1 }]);
    expect(await listed(admin)).toHaveLength(2);
  });

  it('that nobody has named are not found, nor closed', async () => {
    const { bindings } = producer();
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/close'],
      ['POST', '/cancel'],
    ] as const) {
      const answer = await ask(bindings, `/api/groups/none${path}`, { method });
      expect(await documentIn(answer)).toMatchObject({ type: '/docs/problems/group-not-found' });
    }
  });
});

describe('a hook', () => {
  it('is kept with the task, and shown', async () => {
    const { queue, bindings } = producer({ ACCEPT: 'queue+record' });
    const { id } = await documentIn(
      await ask(bindings, '/api/task', { body: { service: 'echo', onComplete: { url: URL, format: 'cloudevents' } } }),
    );
    const all = ['succeeded', 'failed', 'cancelled', 'expired'];
    expect(queue.sent[0]?.task.onComplete).toEqual({
      url: URL,
      on: all,
      format: 'cloudevents',
      service: expect.stringMatching(/^webhook:hooks\.example\.com:[0-9a-f]{16}$/),
      path: '/tasks?team=blue',
      linkBase: 'http://tasklane.test/api/task/',
    });
    expect(await documentIn(await ask(bindings, `/api/task/${id}`))).toMatchObject({
      onComplete: { url: URL, on: all, format: 'cloudevents' },
    });
  });

  it.each([
    ['of this deployment', { url: 'http://tasklane.test/api/task' }, '/onComplete/url', 'itself'],
    ['with a fragment', { url: `${URL}#x` }, '/onComplete/url', 'fragment'],
    ['with credentials', { url: 'https://a:b@hooks.example.com/' }, '/onComplete/url', 'credentials'],
    ['that is no web address', { url: 'ftp://hooks.example.com/' }, '/onComplete/url', 'web address'],
    ['on no end', { url: URL, on: [] }, '/onComplete/on', '1'],
    ['with a field that is unknown', { url: URL, fromat: 'standard' }, '/onComplete/fromat', 'did you mean format'],
  ])('%s is refused', async (_, onComplete, field, why) => {
    const { queue, bindings } = producer();
    const answer = await ask(bindings, '/api/task', { body: { service: 'echo', onComplete } });
    expect(answer.status).toBe(400);
    expect((await documentIn(answer)).errors).toMatchObject([{ field, reason: expect.stringContaining(why) }]);
    expect(queue.sent).toEqual([]);
  });

  it('to a private address is refused outside the local run', async () => {
    const services = { echo: { baseUrl: 'https://backend.example.com' } };
    const { bindings } = producer({ ALLOW_PRIVATE_TARGETS: 'false', SERVICES: services });
    for (const url of ['http://hooks.example.com/', 'https://10.0.0.1/', 'https://metadata.internal/']) {
      const answer = await ask(bindings, '/api/task', { body: { service: 'echo', onComplete: { url } } });
      expect((await documentIn(answer)).errors, url).toMatchObject([{ field: '/onComplete/url' }]);
    }
  });

  it('of a service to this deployment itself, or to a private address, is refused when the service is put', async () => {
    const { bindings } = producer({
      ALLOW_PRIVATE_TARGETS: 'false',
      SERVICES: {},
      PUBLIC_URL: 'https://tasks.example.com',
    });
    for (const url of ['https://tasks.example.com/api/task', 'https://10.0.0.1/']) {
      const body = { baseUrl: 'https://backend.example.com', onComplete: { url } };
      const token = await tokenFor('root', 'admin');
      const answer = await ask(bindings, '/api/services/told', { method: 'PUT', token, body });
      expect((await documentIn(answer)).errors, url).toMatchObject([{ field: '/onComplete/url' }]);
    }
  });

  it('of a service is told of each of its tasks that says nothing else and belongs to no group', async () => {
    const services = { echo: { baseUrl: 'http://backend.test', onComplete: { url: URL, on: ['failed'] } } };
    const { queue, bindings } = producer({ SERVICES: services });
    await ask(bindings, '/api/task', { body: { service: 'echo' } });
    await ask(bindings, '/api/task', { body: { service: 'echo', onComplete: { url: 'https://other.example.com/' } } });
    await ask(bindings, '/api/task', { body: { service: 'echo', group: 'night-7' } });
    expect(queue.sent.map(({ task }) => task.onComplete?.url)).toEqual([URL, 'https://other.example.com/', undefined]);
  });
});

describe('the secret that receivers verify with', () => {
  it('is of each owner; an administrator gets anybody’s', async () => {
    const { bindings } = producer();
    const secretsOf = async (who: object, query = '') =>
      (await documentIn(await ask(bindings, `/api/webhooks/secret${query}`, who))).secrets;
    const alice = await secretsOf({});
    expect(alice).toEqual([expect.stringMatching(/^whsec_/)]);
    expect(await secretsOf({ token: await tokenFor('bob') }, '?subject=alice')).not.toEqual(alice);
    expect(await secretsOf({ token: await tokenFor('root', 'admin') }, '?subject=alice')).toEqual(alice);
  });

  it('is not for a token that is limited to reading, nor for a viewer', async () => {
    const { bindings } = producer();
    const reading = await signToken({ sub: 'alice', role: 'client', read: true }, env.JWT_SECRET, 3600);
    for (const token of [reading, await tokenFor('watcher', 'viewer')]) {
      expect((await ask(bindings, '/api/webhooks/secret', { token })).status).toBe(403);
    }
  });

  it('comes with the one before it while the deployment rotates', async () => {
    const { bindings } = producer({ WEBHOOK_SECRET_PREVIOUS: 'older-webhook-secret-of-the-tests-32-bytes' });
    expect((await documentIn(await ask(bindings, '/api/webhooks/secret'))).secrets).toHaveLength(2);
  });
});
