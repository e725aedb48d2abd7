/** What submitters share and what is theirs, against the running pipeline: turns, flows, redrives. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client, type Pipeline, startPipeline } from './pipeline.ts';

/** A backend that counts its calls and how many there were at a time, and fails when it is told to. */
async function startCounting() {
  const calls = new Map<string, number>();
  const state = { isFailing: false, atOnce: 0, most: 0 };
  const server = createServer(async (request, response) => {
    request.resume();
    const id = String(request.headers['task-id']);
    calls.set(id, (calls.get(id) ?? 0) + 1);
    state.atOnce += 1;
    state.most = Math.max(state.most, state.atOnce);
    await sleep(Number(new URL(request.url ?? '/', 'http://host').searchParams.get('ms') ?? 0));
    state.atOnce -= 1;
    response.writeHead(state.isFailing ? 422 : 200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url, calls, state, stop };
}

let backend: Awaited<ReturnType<typeof startCounting>>;
let pipeline: Pipeline;
let alice: Client;
let bob: Client;

beforeAll(async () => {
  backend = await startCounting();
  pipeline = await startPipeline({
    services: {
      plain: { baseUrl: backend.url },
      steady: { baseUrl: backend.url, requestsPerSecond: 2 },
      rationed: { baseUrl: backend.url, perClient: { open: 2 } },
    },
  });
  alice = await Client.as(pipeline.run.url, 'alice');
  bob = await Client.as(pipeline.run.url, 'bob');
});
afterAll(async () => {
  await pipeline?.[Symbol.asyncDispose]();
  await backend?.stop();
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(condition, { interval: 50 }).toBe(true);
}

const succeeded = (client: Client, ids: readonly string[]) =>
  Promise.all(ids.map(async (id) => expect((await client.task(id, 25)).status).toBe('succeeded')));

describe('a flow', () => {
  const flow = { key: 'acme', concurrency: 2 };

  it('lets no more calls run at a time than it says, however many tasks share it', async () => {
    const task = { service: 'plain', path: '/work?ms=120', flow };
    backend.state.most = 0;
    const ids = await alice.submitMany(Array.from({ length: 8 }, () => task));
    await succeeded(alice, ids);
    expect(backend.state.most).toBe(2);
  });

  it('is changed, paused, watched and resumed while its tasks wait', async () => {
    const put = await alice.call('PUT', '/api/flows/acme', { concurrency: 1 });
    expect(put.body).toMatchObject({ key: 'acme', concurrency: 1, source: 'api', paused: false });
    expect((await alice.call('POST', '/api/flows/acme/pause', { reason: 'their holiday' })).status).toBe(200);
    const ids = await alice.submitMany(Array.from({ length: 3 }, () => ({ service: 'plain', path: '/work', flow })));
    await until(async () => (await alice.call('GET', '/api/flows/acme')).body.waiting === 3);
    expect(await alice.task(ids[0] ?? '')).toMatchObject({ status: 'deferred', waitingFor: { reason: 'paused' } });
    expect((await bob.call('GET', '/api/flows/acme')).status).toBe(404);
    backend.state.most = 0;
    await alice.call('POST', '/api/flows/acme/resume');
    await succeeded(alice, ids);
    expect(backend.state.most).toBe(1);
  });
});

describe('two submitters of a service with a limit', () => {
  it('take turns: a few tasks of one do not wait for all of the other', async () => {
    const many = await alice.submitMany(Array.from({ length: 60 }, () => ({ service: 'steady', path: '/work' })));
    const waiting = () =>
      pipeline.database.prepare('SELECT count(*) AS n FROM tasks WHERE parked_for IS NOT NULL').get()?.n;
    await until(() => Number(waiting()) >= 40);
    const few = await bob.submitMany(Array.from({ length: 5 }, () => ({ service: 'steady', path: '/work' })));
    await succeeded(bob, few);
    const { body } = await alice.call<{ count: number }>('GET', '/api/tasks/count?service=steady&status=succeeded');
    expect(body.count).toBeLessThan(many.length - 20);
  });
});

describe('a redrive', () => {
  it('runs the failed tasks that its filter finds once more, each once', async () => {
    backend.state.isFailing = true;
    const ids = await alice.submitMany(
      Array.from({ length: 60 }, () => ({ service: 'plain', path: '/work', labels: { batch: 'night' } })),
    );
    await Promise.all(ids.map(async (id) => expect((await alice.task(id, 20)).status).toBe('failed')));
    backend.state.isFailing = false;
    const filter = { service: 'plain', label: ['batch:night'] };
    const dry = await alice.call('POST', '/api/tasks/redrive', { filter, perSecond: 60, dryRun: true });
    expect(dry.body).toMatchObject({
      count: 60,
      seconds: 1,
      services: [{ service: 'plain', perSecond: 60, isAssumed: true }],
    });
    const { status, body: job } = await alice.call('POST', '/api/tasks/redrive', { filter, perSecond: 60 });
    expect(status).toBe(202);
    await succeeded(alice, ids);
    expect((await alice.call('GET', `/api/jobs/${job.id}`)).body).toMatchObject({ status: 'finished', done: 60 });
    expect(ids.map((id) => backend.calls.get(id))).toEqual(ids.map(() => 2));
  });
});

describe('a client at a service with a quota', () => {
  it('is refused at its limit, with the time after which it may come again, and others are not', async () => {
    const submit = (client: Client) =>
      client.call('POST', '/api/task', { service: 'rationed', path: '/work?ms=60000' });
    const answers = [await submit(alice), await submit(alice), await submit(alice)];
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 429]);
    expect(answers[2]?.headers.get('ratelimit-policy')).toMatch(/^"open";q=2;qu="concurrent-requests";pk=:\S+:$/);
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await submit(bob)).status).toBe(202);
  });
});
