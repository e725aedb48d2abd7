/**
 * What backends answer, as they do in the field, and what becomes of it both ways: the result or error of a
 * task, and the answer of the synchronous route.
 */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnswerRun, expectNoSecret, serviceOf } from './answer-run.ts';
import type { RawRequest } from './raw-backend.ts';
import { KEY, percent, type Row } from './row.ts';
import { ROWS } from './table.ts';

let run: AnswerRun;
beforeAll(async () => {
  run = await AnswerRun.start();
});
afterAll(() => run?.stop());

describe('an answer as the result of a task', () => {
  it('becomes what the table says, and shows no secret', async () => {
    const ids = await Promise.all(
      Object.keys(ROWS).map(
        async (name) =>
          [
            name,
            await run.client.submit({ service: serviceOf(name, 'task'), path: `/${name}`, payload: { any: 1 } }),
          ] as const,
      ),
    );
    for (const [name, id] of ids) {
      const { task: expected } = ROWS[name] as Row;
      let records = '';
      // As it was seen: a moment later the next attempt may run.
      const seen = async () => {
        const view = await run.client.task(id);
        records = JSON.stringify(view);
        return [name, view.status];
      };
      await expect.poll(seen).toEqual([name, expected.status]);
      if (expected.class !== undefined) expect(records, name).toContain(`"class":"${expected.class}"`);
      if (expected.says !== undefined) expect(records, name).toContain(JSON.stringify(expected.says).slice(1, -1));
      expectNoSecret(records, name);
    }
    const sent = run.backend.seen.filter(({ target }) => target === '/read-and-reset');
    expect(sent.map(({ headers }) => headers.get('task-attempt'))).toEqual(sent.map((_, index) => String(index + 1)));
  });
});

describe('what a backend reports later', () => {
  const REPORTED = ['plain', 'all-escapes', 'percent-twice', 'html', 'hex', 'base64-1', 'base64-2'] as const;

  /** What the row would have answered at once. */
  const reported = (name: string) => {
    const request = { headers: new Map([['x-api-key', KEY]]) } as unknown as RawRequest;
    return String(Buffer.from((ROWS[name] as Row).steps(request).at(-1) as Uint8Array));
  };

  async function accepted(service: string, name: string) {
    const id = await run.client.submit({ service, path: `/later?${name}`, payload: {} });
    await expect.poll(async () => (await run.client.task(id)).status).toBe('waiting');
    const { headers } = run.backend.seen.findLast((each) => each.headers.get('task-id') === id) as RawRequest;
    const report = async (body: object) =>
      fetch(`${run.url}/api/task/${id}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${headers.get('task-callback-token')}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then(({ status: code }) => code);
    return { id, report, token: headers.get('task-callback-token')?.split('~')[0] as string };
  }

  it.each(REPORTED)('shows no secret either: %s', async (name) => {
    const { id, report } = await accepted('keyed', name);
    expect(await report({ status: 'running', progress: { percent: 1, message: reported(name) } })).toBe(200);
    expect(await report({ status: 'succeeded', result: { said: reported(name) } })).toBe(200);
    // The same once more is no other result.
    expect(await report({ status: 'succeeded', result: { said: reported(name) } })).toBe(200);
    const shown = JSON.stringify(await run.client.task(id));
    expect(shown).toContain('[redacted]');
    expectNoSecret(shown, name);
  });

  it('shows no key of a pool, no token, and none in bytes or in an error', async () => {
    const { id, report, token: callbackToken } = await accepted('pooled', 'key');
    const failure = `${'x'.repeat(480)} ${percent(KEY)} ${callbackToken}`;
    expect(await report({ status: 'running', message: `${KEY} ${callbackToken}` })).toBe(200);
    expect(await report({ status: 'failed', error: { message: failure }, retryable: false })).toBe(200);
    const shown = JSON.stringify(await run.client.task(id));
    expect(shown).not.toContain(callbackToken);
    expectNoSecret(shown, 'failure');
    const bytes = await accepted('pooled', 'bytes');
    const resultBase64 = Buffer.concat([Buffer.from([0, 255]), Buffer.from(KEY)]).toString('base64');
    expect(await bytes.report({ status: 'succeeded', resultBase64 })).toBe(200);
    const { result } = (await run.client.task(bytes.id)) as { result?: { base64?: string } };
    const kept = Buffer.from(JSON.stringify(result).match(/[A-Za-z0-9+/=]{12,}/)?.[0] ?? '', 'base64').toString(
      'latin1',
    );
    expect(kept).toContain('[redacted]');
    expectNoSecret(kept, 'bytes');
  });
});

describe('an answer on the synchronous route', () => {
  it.each(Object.entries(ROWS))('%s', async (name, { sync }) => {
    const told = await run.callSync(`${serviceOf(name, 'sync')}/${name}`, { method: 'POST', body: '{}' });
    const shown = JSON.stringify([told.text, [...told.headers]]);
    expect(told.status, shown.slice(0, 500)).toBe(sync.status);
    if (sync.says !== undefined) expect(shown).toContain(sync.says);
    for (const [header, value] of Object.entries(sync.headers ?? {})) {
      expect([header, told.headers.get(header)]).toEqual([header, value?.replace('PUBLIC', run.url) ?? null]);
    }
    expectNoSecret(shown, name);
  });

  it.each(['gzip', 'deflate', 'all-escapes', 'base64-1', 'in-a-location'])('with a key of a pool: %s', async (name) => {
    const { sync } = ROWS[name] as Row;
    const told = await run.callSync(`pooled/${name}`, { method: 'POST', body: '{}', headers: { prefer: 'wait=20' } });
    const shown = JSON.stringify([told.text, [...told.headers]]);
    expect(told.status, shown.slice(0, 500)).toBe(sync.status);
    expectNoSecret(shown, name);
  });

  it('of a server that read the request and broke off is a 502, and the request comes once', async () => {
    const { status } = await run.callSync('keyed/read-and-reset?once', { method: 'POST', body: '{}' });
    expect(status).toBe(502);
    expect(run.backend.seen.filter(({ target }) => target === '/read-and-reset?once')).toHaveLength(1);
  });
});

describe('what a package shows', () => {
  const openai = (service: string) =>
    new OpenAI({ apiKey: run.token, baseURL: `${run.url}/api/service/${service}`, maxRetries: 0 });

  it('of a refusal is its words and code', async () => {
    await expect(openai('no-such-service').models.list()).rejects.toMatchObject({
      status: 404,
      code: 'service-not-found',
      message: expect.stringContaining('no-such-service'),
    });
    await expect(openai('refused').models.list()).rejects.toMatchObject({ status: 502, code: 'backend-unreachable' });
    const stranger = new OpenAI({ apiKey: 'no-token', baseURL: `${run.url}/api/service/open`, maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, type: 'authentication_error' });
  });

  it('of a single key that is limited is the 429 of the backend, with its time', async () => {
    const told = await run.callSync('lone/limited', { method: 'POST', body: '{}' });
    expect([told.status, told.headers.get('retry-after'), told.text]).toEqual([
      429,
      '7',
      '{"error":{"message":"slow down"}}',
    ]);
  });
});

it('no secret stands in the log', () => {
  expectNoSecret(run.logged.join('\n'), 'log');
});
