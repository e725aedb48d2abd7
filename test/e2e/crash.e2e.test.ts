/** `kill -9` of the whole local run, or of its runtime alone, in the middle of its work: what was accepted finishes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Backend, startBackend } from '../../examples/backend/server.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { allEnded, Client, startPipeline, statusesIn } from './pipeline.ts';

interface Started {
  readonly url: string;
  readonly runtimePid: number;
  readonly recovered: number;
  readonly process: ChildProcess;
}

let backend: Backend;
let stateDir: string;
let running: ChildProcess | undefined;

beforeAll(async () => {
  backend = await startBackend();
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-crash-'));
});
afterAll(async () => {
  running?.kill('SIGKILL');
  await backend.stop();
  await rm(stateDir, { recursive: true, force: true });
});

async function start(dir = stateDir): Promise<Started> {
  const child = fork(path.join(import.meta.dirname, 'local-process.ts'), [dir, backend.url]);
  running = child;
  const [message] = (await once(child, 'message')) as [Omit<Started, 'process'>];
  return { ...message, process: child };
}

async function killAll({ process: child, runtimePid }: Started): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
  await gone(runtimePid);
}

/** The runtime dies with the process that started it. */
async function gone(pid: number): Promise<void> {
  for (let look = 0; look < 600; look++) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`process ${pid} outlived the run that started it`);
}

it('10,000 accepted tasks survive kill -9 of the run, twice, and all end once', async () => {
  const TASKS = 10_000;
  const ids = new Set<string>();
  let client: Client;

  const first = await start();
  client = await Client.as(first.url, 'alice');
  for (let at = 0; at < TASKS; at += 1000) {
    const tasks = Array.from({ length: 1000 }, () => ({ service: 'random', path: '/random?failRate=0.1' }));
    for (const id of await client.submitMany(tasks)) ids.add(id);
  }
  await killAll(first);
  const afterFirst = backend.log.report().successes;
  expect(afterFirst).toBeLessThan(TASKS);

  const second = await start();
  expect(second.recovered).toBeGreaterThan(0);
  client = await Client.as(second.url, 'alice');
  while (backend.log.report().successes < afterFirst + (TASKS - afterFirst) / 2) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await killAll(second);

  const third = await start();
  client = await Client.as(third.url, 'alice');
  using database = openDatabaseFile(stateDir);
  await allEnded(database, TASKS, 90_000);
  const tasks = await client.list();
  expect(new Set(tasks.map(({ id }) => id))).toEqual(ids);
  expect(tasks.filter(({ status }) => status !== 'succeeded')).toEqual([]);

  // Every task ran; only those whose outcome died with the run may have run twice.
  const report = backend.log.report();
  expect(report.keys).toBe(TASKS);
  const twice = Object.values(report.byKey).filter(({ successes }) => successes > 1).length;
  expect(twice).toBeLessThan(TASKS / 10);
  await killAll(third);
});

it('a runtime that dies is started again, and what was accepted finishes', async () => {
  const TASKS = 50;
  await using pipeline = await startPipeline();
  const { run, database } = pipeline;
  const client = await Client.as(run.url, 'alice');
  await client.submitMany(Array.from({ length: TASKS }, () => ({ service: 'slow', path: '/slow?ms=2000' })));
  while (statusesIn(database).running === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  if (run.runtimePid === undefined) throw new Error('no runtime');
  process.kill(run.runtimePid, 'SIGKILL');
  await allEnded(database, TASKS, 90_000);
  expect(statusesIn(database)).toEqual({ succeeded: TASKS });
});

/** Answers no call until it is told to: those from before are never answered. */
async function startHanging(): Promise<{ url: string; calls: () => number; answer: () => void } & AsyncDisposable> {
  let calls = 0;
  let answers = false;
  const server = createServer((_request, response) => {
    calls += 1;
    if (answers) response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    answer: () => (answers = true),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

it('the only place of a service or a flow is free again after kill -9 of the run under its call', async () => {
  const dir = path.join(stateDir, 'places');
  await using hanging = await startHanging();
  const first = await start(dir);
  const admin = await Client.as(first.url, 'root', 'admin');
  for (const [name, limits] of Object.entries({ narrow: { maxConcurrency: 1 }, wide: {} })) {
    const { status } = await admin.call('PUT', `/api/services/${name}`, {
      baseUrl: hanging.url,
      // Its places would be taken for as long.
      timeoutSeconds: 600,
      ...limits,
    });
    expect(status).toBe(200);
  }
  const tasks = [
    { service: 'narrow', path: '/' },
    { service: 'wide', path: '/', flow: { key: 'one-by-one', concurrency: 1 } },
  ];
  await (await Client.as(first.url, 'alice')).submitMany(tasks);
  await vi.waitFor(() => expect(hanging.calls()).toBe(2), 60_000);
  await killAll(first);

  hanging.answer();
  const second = await start(dir);
  await (await Client.as(second.url, 'alice')).submitMany(tasks);
  using database = openDatabaseFile(dir);
  await allEnded(database, 4, 60_000);
  expect(statusesIn(database)).toEqual({ succeeded: 4 });
  await killAll(second);
});

it('the only place of a service is free again when the runtime alone died under its call', async () => {
  await using hanging = await startHanging();
  await using pipeline = await startPipeline({
    services: { narrow: { baseUrl: hanging.url, timeoutSeconds: 600, maxConcurrency: 1 } },
    // None comes by itself: the round after the restart is the first that asks for a place.
    cronIntervalMs: 3_600_000,
  });
  const { run, database } = pipeline;
  const client = await Client.as(run.url, 'alice');
  await client.submit({ service: 'narrow', path: '/' });
  await vi.waitFor(() => expect(hanging.calls()).toBe(1), 60_000);
  if (run.runtimePid === undefined) throw new Error('no runtime');
  hanging.answer();
  process.kill(run.runtimePid, 'SIGKILL');
  await allEnded(database, 1, 60_000);
  expect(statusesIn(database)).toEqual({ succeeded: 1 });
});
