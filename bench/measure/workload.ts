/**
 * The work that both sides are given. Each function does its preparation off the clock, measures one
 * thing and leaves the system idle. An answer that is not the expected one fails the bench: a rate of
 * errors is not a rate.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driven } from '../load/job.ts';
import type { Outside } from '../load/outside.ts';
import type { ServiceName, System, TASKLANE_SERVICES } from '../system/system.ts';

export interface Sample {
  /** Operations a second, or milliseconds for a latency. */
  readonly value: number;
  /** Processor time of the runtime, microseconds per operation. */
  readonly processorMicros: number;
  /** The share of the time in which the runtime stood in line for a processor, because others had it. */
  readonly waitedShare?: number;
}

type AnyService = ServiceName | (typeof TASKLANE_SERVICES)[number];

const TIMED_CALLS = 300;
const ACCEPT_CONNECTIONS = 32;
const BATCH_CONNECTIONS = 4;
const TASKS_PER_BATCH = 100;
const TASKS_PER_BULK = 500;
const HOT_TASKS = 100;
const LONE_TASKS = 20;
const DRAIN_TIMEOUT_MS = 60_000;
/** Every isolate asks every five seconds whether definitions have changed. */
const KNOWN_AFTER_MS = 6_000;

/** About what a small real task carries. */
const PAYLOAD = {
  document: 'https://files.example.com/2026/11/0123456789abcdef.pdf',
  pages: [1, 2, 3],
  language: 'en',
};

/**
 * Accepts one by one. The backend's gate is shut meanwhile, so that the queue fills and the consumers
 * hold still: the figure is accept's alone. Afterwards the gate opens and the queue drains off the clock.
 */
export function acceptSingly(system: System, outside: Outside, tasks: number): Promise<Sample> {
  return acceptBehindGate(system, outside, tasks, () =>
    outside.perform<'drive'>({
      kind: 'drive',
      address: system.address,
      connections: ACCEPT_CONNECTIONS,
      count: tasks,
      keepBodies: false,
      requests: [{ method: 'POST', path: '/api/task', headers: system.headers, body: taskBody('gate') }],
    }),
  );
}

/** The same with a hundred tasks a request. */
export function acceptInBatches(system: System, outside: Outside, tasks: number): Promise<Sample> {
  return acceptBehindGate(system, outside, tasks, () => submitBatches(system, outside, tasks, TASKS_PER_BATCH, 'gate'));
}

async function acceptBehindGate(
  system: System,
  outside: Outside,
  tasks: number,
  submit: () => Promise<Driven>,
): Promise<Sample> {
  await outside.perform<'reset'>({ kind: 'reset', gateClosed: true });
  const newest = system.records.newest();
  const before = system.runtime.processorMicroseconds();
  const waitedShare = waiting(system);
  const driven = await submit();
  const sample = {
    waitedShare: waitedShare(),
    processorMicros: (system.runtime.processorMicroseconds() - before) / tasks,
  };
  expectOnly(202, driven, `${system.name}, accept`);
  await outside.perform<'reset'>({ kind: 'reset', gateClosed: false });
  await system.records.awaitSucceeded(newest, tasks, DRAIN_TIMEOUT_MS);
  return { value: tasks / driven.seconds, ...sample };
}

/** From the first byte of the first batch to the last task's outcome on disk. */
export async function wholeWay(
  system: System,
  outside: Outside,
  tasks: number,
  service: AnyService,
): Promise<Sample & { readonly ids: readonly string[] }> {
  await outside.perform<'reset'>({ kind: 'reset', gateClosed: false });
  const newest = system.records.newest();
  const before = system.runtime.processorMicroseconds();
  const waitedShare = waiting(system);
  const startedAt = performance.now();
  const driven = await submitBatches(system, outside, tasks, TASKS_PER_BULK, service);
  await outside.perform<'await-calls'>({ kind: 'await-calls', count: tasks, timeoutMs: DRAIN_TIMEOUT_MS });
  await system.records.awaitSucceeded(newest, tasks, DRAIN_TIMEOUT_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  const processorMicros = (system.runtime.processorMicroseconds() - before) / tasks;
  expectOnly(202, driven, `${system.name}, submit`);
  return {
    value: tasks / seconds,
    processorMicros,
    waitedShare: waitedShare(),
    ids: driven.bodies.flatMap(acceptedIds),
  };
}

/** Tasks of a service that is paused, all of them in its line, from the moment in which it goes on to the last outcome. */
export async function releaseLine(system: System, outside: Outside, tasks: number): Promise<Sample> {
  await outside.perform<'reset'>({ kind: 'reset', gateClosed: false });
  const newest = system.records.newest();
  await steer(system, 'pause');
  await sleep(KNOWN_AFTER_MS);
  await submitBatches(system, outside, tasks, TASKS_PER_BULK, 'instant');
  await system.records.awaitParked(newest, tasks, DRAIN_TIMEOUT_MS);
  const before = system.runtime.processorMicroseconds();
  const waitedShare = waiting(system);
  const startedAt = performance.now();
  await steer(system, 'resume');
  await system.records.awaitSucceeded(newest, tasks, DRAIN_TIMEOUT_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  const processorMicros = (system.runtime.processorMicroseconds() - before) / tasks;
  return { value: tasks / seconds, processorMicros, waitedShare: waitedShare() };
}

/** From now on. */
function waiting({ runtime }: System): () => number {
  const [startedAt, before] = [performance.now(), runtime.waitedMicroseconds()];
  return () => (runtime.waitedMicroseconds() - before) / 1_000 / (performance.now() - startedAt);
}

async function steer({ address, operatorHeaders }: System, what: 'pause' | 'resume'): Promise<void> {
  const url = `http://${address.host}:${address.port}/api/services/instant/${what}`;
  const headers = { ...operatorHeaders, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: '{}' });
  if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
}

/** Polls of tasks that have finished: each once, or a hundred of them again and again. */
export async function pollFinished(
  system: System,
  outside: Outside,
  polls: number,
  which: 'each once' | 'a hundred',
): Promise<Sample> {
  const { ids } = await wholeWay(system, outside, which === 'a hundred' ? HOT_TASKS : polls, 'instant');
  const requests = ids.map((id) => ({ method: 'GET', path: `/api/task/${id}`, headers: system.headers }));
  const before = system.runtime.processorMicroseconds();
  const driven = await outside.perform<'drive'>({
    kind: 'drive',
    address: system.address,
    connections: ACCEPT_CONNECTIONS,
    count: polls,
    keepBodies: true,
    requests,
  });
  const processorMicros = (system.runtime.processorMicroseconds() - before) / polls;
  expectOnly(200, driven, `${system.name}, poll`);
  const unfinished = driven.bodies.find((body) => (JSON.parse(body) as { status: string }).status !== 'succeeded');
  if (unfinished !== undefined) throw new Error(`${system.name}, poll: a finished task polls as ${unfinished}`);
  return { value: polls / driven.seconds, processorMicros };
}

/** One task at a time on an idle system, from its submission to the first poll that shows it finished. */
export async function loneTask(system: System, outside: Outside): Promise<Sample> {
  await outside.perform<'reset'>({ kind: 'reset', gateClosed: false });
  const before = system.runtime.processorMicroseconds();
  const milliseconds = await outside.perform<'lone'>({
    kind: 'lone',
    address: system.address,
    count: LONE_TASKS,
    submit: { method: 'POST', path: '/api/task', headers: system.headers, body: taskBody('instant') },
    statusPath: '/api/task/',
  });
  const processorMicros = (system.runtime.processorMicroseconds() - before) / LONE_TASKS;
  milliseconds.sort((a, b) => a - b);
  return { value: milliseconds[Math.floor(milliseconds.length / 2)] ?? Number.NaN, processorMicros };
}

/** One call after the other, each to its answer: through the synchronous route, or straight to the backend. */
export async function callSynchronously(system: System, outside: Outside, way: 'route' | 'direct'): Promise<Sample> {
  await outside.perform<'reset'>({ kind: 'reset', gateClosed: false });
  const [address, path] = way === 'route' ? [system.address, '/api/service/instant/'] : [system.backend, '/'];
  const before = system.runtime.processorMicroseconds();
  const milliseconds = await outside.perform<'time-calls'>({
    kind: 'time-calls',
    address,
    count: TIMED_CALLS,
    request: { method: 'POST', path: `${path}instant`, headers: system.headers, body: JSON.stringify(PAYLOAD) },
  });
  const processorMicros = (system.runtime.processorMicroseconds() - before) / TIMED_CALLS;
  milliseconds.sort((a, b) => a - b);
  return { value: milliseconds[Math.floor(milliseconds.length / 2)] ?? Number.NaN, processorMicros };
}

async function submitBatches(
  system: System,
  outside: Outside,
  tasks: number,
  perRequest: number,
  service: AnyService,
): Promise<Driven> {
  const full = batchBody(service, perRequest);
  const rest = tasks % perRequest;
  const bodies = Array.from({ length: Math.floor(tasks / perRequest) }, () => full);
  if (rest > 0) bodies.push(batchBody(service, rest));
  return outside.perform<'drive'>({
    kind: 'drive',
    address: system.address,
    connections: BATCH_CONNECTIONS,
    count: bodies.length,
    keepBodies: true,
    requests: bodies.map((body) => ({ method: 'POST', path: '/api/tasks/batch', headers: system.headers, body })),
  });
}

function taskBody(service: AnyService): string {
  return JSON.stringify({ service, payload: PAYLOAD });
}

function batchBody(service: AnyService, count: number): string {
  return JSON.stringify({ tasks: Array.from({ length: count }, () => ({ service, payload: PAYLOAD })) });
}

function acceptedIds(body: string): string[] {
  const { results } = JSON.parse(body) as { results: { id?: string }[] };
  return results.map(({ id }) => {
    if (id === undefined) throw new Error('a task of a batch was refused');
    return id;
  });
}

function expectOnly(status: number, { statuses }: Driven, what: string): void {
  const others = Object.entries(statuses).filter(([name]) => Number(name) !== status);
  if (others.length > 0) {
    throw new Error(`${what}: ${others.map(([name, count]) => `${count} answers were ${name}`).join(', ')}`);
  }
}
