import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { ask, aTask, documentIn, environment, idFor, tokenFor } from '../client.ts';

async function plant(request: NewTask['request'], overrides: Partial<NewTask> = {}): Promise<string> {
  const id = await idFor('alice');
  await recordAccepted(env.DB, [aTask(id, 'alice', { request, ...overrides })], undefined);
  return id;
}

async function set(id: string, columns: Record<string, unknown>): Promise<void> {
  const names = Object.keys(columns);
  await env.DB.prepare(`UPDATE tasks SET ${names.map((name, at) => `${name} = ?${at + 2}`).join(', ')} WHERE id = ?1`)
    .bind(id, ...Object.values(columns))
    .run();
}

const ENDED = { status: 'succeeded', finished_at: 3_000, run: 2 };
const poll = async (id: string, at = environment(), token?: string) =>
  documentIn(await ask(at, `/api/task/${id}`, token === undefined ? {} : { token }));

describe('a poll', () => {
  it('shows the request as it was sent, without what looks like a secret', async () => {
    const id = await plant({
      method: 'PUT',
      path: '/v1?x=1',
      headers: { 'x-team': 'blue', 'x-api-key': 'k-123', 'X-Session-Token': 't' },
      body: { type: 'application/json', encoding: 'json', text: '{ "n": 12345678901234567890, "a": [1.0] }' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    const text = await (await ask(environment(), `/api/task/${id}`)).text();
    expect(text).toContain('"body":{ "n": 12345678901234567890, "a": [1.0] }');
    expect(text).not.toContain('k-123');
    expect(JSON.parse(text).request).toMatchObject({
      method: 'PUT',
      path: '/v1?x=1',
      headers: { 'x-team': 'blue', 'x-api-key': '***', 'X-Session-Token': '***' },
      contentType: 'application/json',
      bodyEncoding: 'json',
      traceId: '0af7651916cd43dd8448eb211c80319c',
    });
  });

  it('shows a request without a body, whose trace is the id’s', async () => {
    const { request } = await poll(await plant({}));
    expect(request).toEqual({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });

  it('shows every attempt, also the one that succeeded, and who wanted a retry', async () => {
    const id = await plant({});
    const history = [
      {
        run: 1,
        attempt: 1,
        outcome: 'failed',
        startedAt: 1_000,
        endedAt: 1_500,
        server: 'one',
        error: { class: 'http', httpStatus: 500, message: 'no' },
      },
      { run: 1, attempt: 1, outcome: 'retried', startedAt: 1_600, endedAt: 1_600, by: 'root' },
      { unreadable: true },
      {
        run: 2,
        attempt: 2,
        outcome: 'succeeded',
        startedAt: 2_000,
        endedAt: 2_250,
        server: 'two',
        key: { pool: 'default', number: 3 },
        httpStatus: 200,
      },
    ];
    await set(id, { ...ENDED, history: JSON.stringify(history) });
    const { attemptLog, timeline } = await poll(id);
    expect(attemptLog).toMatchObject([
      { outcome: 'failed', server: 'one', httpStatus: 500, durationMs: 500 },
      { outcome: 'retried', by: 'root' },
      { outcome: 'succeeded', server: 'two', key: { pool: 'default', number: 3 }, httpStatus: 200, durationMs: 250 },
    ]);
    expect((timeline as { event: string }[]).map(({ event }) => event)).toEqual(
      expect.arrayContaining(['attempt-failed', 'retried', 'attempt-succeeded', 'succeeded']),
    );
  });

  it('shows the reports of progress, and the one report of an older row', async () => {
    const id = await plant({});
    const log = [
      { at: 1_000, percent: 10 },
      { at: 2_000, percent: 20, message: 'half' },
    ];
    await set(id, { progress: JSON.stringify({ at: 2_000, percent: 20, message: 'half', log }) });
    expect(await poll(id)).toMatchObject({
      progress: 20,
      progressLog: [{ percent: 10 }, { percent: 20, message: 'half' }],
    });
    await set(id, { progress: JSON.stringify({ at: 2_000, percent: 20 }) });
    expect((await poll(id)).progressLog).toMatchObject([{ percent: 20 }]);
  });
});

describe('a service that redacts bodies', () => {
  const at = () => environment({ SERVICES: { private: { baseUrl: 'https://backend.example', redactBodies: true } } });

  it('shows requests to nobody and results to their owner alone, in whatever order they ask', async () => {
    const id = await plant(
      { body: { type: 'text/plain', encoding: 'text', text: 'the patient' } },
      { service: 'private' },
    );
    await set(id, { ...ENDED, result_type: 'text/plain', result_encoding: 'text', result: 'the finding' });
    const [shared, admin] = [at(), await tokenFor('root', 'admin')];
    const own = await poll(id, shared);
    expect(own).toMatchObject({ request: { bodyRedacted: true, contentType: 'text/plain' }, result: 'the finding' });
    const other = await poll(id, shared, admin);
    expect(other).toMatchObject({ request: { bodyRedacted: true }, resultRedacted: true });
    expect(JSON.stringify([own.request, other])).not.toMatch(/the patient|the finding/);
    expect(await poll(id, shared)).toMatchObject({ result: 'the finding' });
  });
});

describe('events', () => {
  async function eventsIn(response: Response) {
    const text = await response.text();
    return text
      .split('\n\n')
      .filter((block) => block.includes('event:'))
      .map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))));
  }

  it('say each change until the end, and nothing twice to who comes again', async () => {
    const id = await plant({});
    const answer = await ask(environment(), `/api/task/${id}/events`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const [seen, whole] = (answer.body as ReadableStream<Uint8Array>).tee();
    const reader = seen.pipeThrough(new TextDecoderStream()).getReader();
    const says = async (status: string) => {
      for (let text = ''; !text.includes(`"status":"${status}"`); ) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`ended without ${status}: ${text}`);
        text += value;
      }
    };
    await says('queued');
    await set(id, { status: 'running', run: 1, lease_until: 1 });
    await says('running');
    await set(id, { ...ENDED, run: 1, lease_until: null });
    const events = await eventsIn(new Response(whole));
    expect(events.map(({ event }) => event)).toEqual(['task', 'task', 'task', 'end']);
    expect(events.map(({ data }) => JSON.parse(data ?? '{}').status)).toEqual([
      'queued',
      'running',
      'succeeded',
      undefined,
    ]);
    const again = await ask(environment(), `/api/task/${id}/events`, {
      headers: { 'last-event-id': events[2]?.id ?? '' },
    });
    expect((await eventsIn(again)).map(({ event }) => event)).toEqual(['end']);
  });

  it('say that its line has stopped, and why', async () => {
    const id = await plant({});
    const parked = { status: 'deferred', run: 1, deferrals: 1, reason: 'no-key', parked_for: 'pool:watched', place: 1 };
    await set(id, { ...parked, next_at: 9e12, due_at: 9e12 });
    const answer = await ask(environment(), `/api/task/${id}/events`);
    const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    const nextReason = async () => {
      for (let text = ''; ; ) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        text += value;
        const said = /"waitingFor":\{"reason":"([^"]*)"\}/.exec(text);
        if (said !== null) return said[1];
      }
    };
    expect(await nextReason()).toBe('no-key');
    const now = Date.now();
    await env.DB.prepare('INSERT INTO lines (line, per_second, noted_at, rates) VALUES (?1, 0, ?2, ?3)')
      .bind(parked.parked_for, now, JSON.stringify({ shard0: [0, now, 'key-refused'] }))
      .run();
    expect(await nextReason()).toBe('key-refused');
    await reader.cancel();
  });

  it('of the tasks of others are not found', async () => {
    const id = await plant({});
    const answer = await ask(environment(), `/api/task/${id}/events`, { token: await tokenFor('bob') });
    expect(answer.status).toBe(404);
  });
});
