import { env } from 'cloudflare:workers';
import parsePrometheus from 'parse-prometheus-text-format';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Backlog } from '../../../producer/schema/statistics.ts';
import {
  countDeferral,
  countEnd,
  countStart,
  emptyTally,
  hourOf,
  type Tally,
} from '../../../shared/statistics/tally.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { addToStatistics } from '../../../shared/store/statistics.ts';
import { ask, aTask, environment, idFor, tokenFor } from '../client.ts';

const ODD_NAME = 'quo"te\\back\nslash';
const LINE = 'pool:openai';
const WAITING = 30;

async function parkedTasks(): Promise<void> {
  const tasks = await Promise.all(
    Array.from({ length: WAITING }, async (_, at) => aTask(await idFor('alice', Date.now() - 120_000 + at), 'alice')),
  );
  await recordAccepted(env.DB, tasks, Date.now());
  const deferred = `UPDATE tasks SET status = 'deferred', reason = 'no-key', next_at = 1, due_at = 2, run = 1, deferrals = 1, parked_for = ?1`;
  await env.DB.prepare(deferred).bind(LINE).run();
  await env.DB.prepare('INSERT INTO lines (line, per_second, noted_at) VALUES (?1, 0.1, ?2)')
    .bind(LINE, Date.now())
    .run();
}

beforeAll(async () => {
  const hour = hourOf(Date.now());
  const of = (name: string, at: number, events: readonly ((tally: Tally) => void)[]) => {
    const tally = emptyTally('service', name, at);
    for (const count of events) count(tally);
    return tally;
  };
  const succeeded = (tally: Tally) => countEnd(tally, 'succeeded', 700);
  await addToStatistics(env.DB, [
    of('ocr', hour, [
      (tally) => countStart(tally, 40),
      succeeded,
      succeeded,
      succeeded,
      (tally) => countEnd(tally, 'failed', 9_000),
    ]),
    of(ODD_NAME, hour, [(tally) => countDeferral(tally, 'rate-limited', undefined)]),
    of('ocr', hour - 25, [succeeded]),
  ]);
  await parkedTasks();
});

const viewer = () => tokenFor('eve', 'viewer');

describe('statistics', () => {
  it('say what became of the tasks, and how it was a day ago', async () => {
    const answer = await ask(environment(), '/api/stats/tasks?hours=3', { token: await viewer() });
    expect(answer.status).toBe(200);
    const document = await answer.json<Record<string, never>>();
    expect(document).toMatchObject({
      total: { succeeded: 3, failed: 1, successRate: 0.75, deferrals: { 'rate-limited': 1 } },
      trend: { dayBefore: { succeeded: 1 }, weekBefore: { succeeded: 0 } },
    });
  });

  it('say what waits, since when, and until when at the present pace', async () => {
    const answer = await ask(environment(), '/api/stats/tasks', { token: await viewer() });
    const { backlog, asOf } = await answer.json<{ asOf: string; backlog: Backlog }>();
    expect(backlog.lines).toEqual([
      expect.objectContaining({ line: LINE, pool: 'openai', tasks: WAITING, perSecond: 0.1 }),
    ]);
    const emptyInMs = Date.parse(String(backlog.lines[0]?.emptyAt)) - Date.parse(asOf);
    expect(emptyInMs).toBe((WAITING / 0.1) * 1000);
    // Those who wait for a key are the service's backlog as much as those who wait for a place.
    expect(backlog.services).toMatchObject([
      { tasks: WAITING, reasons: { 'no-key': WAITING }, lines: [{ line: LINE, tasks: WAITING }] },
    ]);
    expect(backlog.services[0]?.emptyAt).toBe(backlog.lines[0]?.emptyAt);
  });

  it('say it hour by hour', async () => {
    const answer = await ask(environment(), '/api/stats/hourly?name=ocr&hours=27', { token: await viewer() });
    const { hours } = await answer.json<{ hours: { name: string; succeeded: number }[] }>();
    expect(hours.map(({ name, succeeded }) => [name, succeeded])).toEqual([
      ['ocr', 1],
      ['ocr', 3],
    ]);
  });

  it('are not for clients, and take no unknown parameter', async () => {
    for (const path of ['/api/stats/tasks', '/api/stats/hourly', '/metrics']) {
      expect((await ask(environment(), path)).status).toBe(403);
    }
    expect((await ask(environment(), '/api/stats/tasks?hour=3', { token: await viewer() })).status).toBe(400);
  });
});

describe('metrics', () => {
  it('are what a parser of the format reads, odd names included', async () => {
    const answer = await ask(environment(), '/metrics', { token: await viewer() });
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await answer.text();
    const families = new Map(parsePrometheus(text).map((family) => [family.name, family]));
    const ended = families.get('tasklane_tasks_ended_total')?.metrics ?? [];
    expect(ended).toContainEqual({ value: '3', labels: { service: 'ocr', status: 'succeeded' } });
    expect(ended.map(({ labels }) => labels?.service)).toContain(ODD_NAME);
    const waiting = families.get('tasklane_service_waiting_tasks')?.metrics ?? [];
    expect(waiting).toMatchObject([{ value: String(WAITING), labels: { reason: 'no-key' } }]);
    expect(families.get('tasklane_line_tasks')?.metrics).toEqual([{ value: String(WAITING), labels: { line: LINE } }]);
    expect(families.get('tasklane_up')?.metrics).toContainEqual({ value: '1', labels: { part: 'database' } });
    const [start] = families.get('tasklane_task_start_seconds')?.metrics ?? [];
    expect(start?.buckets).toHaveProperty(['+Inf']);
    // Of three of 0.7 s and one of 9 s. The parser puts the histograms of all services into one.
    expect(text).toContain('tasklane_task_end_seconds_sum{service="ocr"} 11.1\n');
  });
});

describe('advice on servers', () => {
  it('is what autoscalers are told, while tasks wait for servers', async () => {
    const wait = `UPDATE tasks SET parked_for = 'service:ocr', reason = 'server-busy' WHERE parked_for = ?1`;
    await env.DB.prepare(wait).bind(LINE).run();
    const { REGISTRY, ...rest } = environment() as { readonly REGISTRY: object };
    const asked: string[] = [];
    const registry = new Proxy(REGISTRY, {
      get: (target, name) => {
        if (name === 'getDemand')
          return async (service: string) => {
            asked.push(service);
            return { ok: true, value: { service, advisedServers: 12, available: 8 } };
          };
        const member = Reflect.get(target, name) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const answer = await ask({ ...rest, REGISTRY: registry }, '/api/stats/tasks', { token: await viewer() });
    const text = 'Service ocr: 12 servers would do; there are 8.';
    expect((await answer.json<{ advice: unknown }>()).advice).toEqual([
      { kind: 'servers', service: 'ocr', servers: 8, needed: 12, text },
    ]);
    expect(asked).toEqual(['ocr']);
  });
});
