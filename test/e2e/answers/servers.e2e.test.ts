/** Which servers a call reaches after an answer that says nothing of the task, and what a package makes of a refusal. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../pipeline.ts';
import { AnswerRun, expectNoSecret, scriptOf } from './answer-run.ts';
import { answer, startRawBackend } from './raw-backend.ts';
import { TEXT } from './row.ts';

let run: AnswerRun;
beforeAll(async () => {
  run = await AnswerRun.start();
});
afterAll(() => run?.stop());

describe('a call to registered servers', () => {
  it.each([
    [521, 'POST', true],
    [530, 'POST', true],
    [522, 'POST', false],
    [522, 'GET', true],
    [524, 'GET', false],
  ])('that a proxy answers with %i for one of them: a %s goes on to the other is %s', async (code, method, goesOn) => {
    const admin = await run.admin();
    const server = await Client.as(run.url, 'backend', 'server');
    const name = `edge-${code}-${method.toLowerCase()}`;
    const cut = await startRawBackend(() => ({ steps: () => answer(code, TEXT, '<html>') }));
    const whole = await startRawBackend(() => ({ steps: () => answer(200, TEXT, 'fine') }));
    try {
      await admin.call('PUT', `/api/services/${name}`, { balancing: 'round-robin', timeoutSeconds: 10 });
      for (const { url } of [cut, whole]) {
        expect((await server.call('POST', '/api/servers', { url, services: [{ name }] })).status).toBe(201);
      }
      const statuses: (number | 'broken')[] = [];
      for (let time = 0; time < 2; time++) {
        statuses.push((await run.callSync(`${name}/x`, { method, ...(method === 'POST' && { body: 'work' }) })).status);
      }
      expect(statuses.sort()).toEqual(goesOn ? [200, 200] : [200, code]);
      expect(cut.seen.length).toBeGreaterThan(0);
    } finally {
      await Promise.all([cut.stop(), whole.stop()]);
    }
  });

  it('reaches one of two that read it and break off, and another where one refuses connections', async () => {
    const admin = await run.admin();
    const server = await Client.as(run.url, 'backend', 'server');
    const others = await Promise.all([startRawBackend(scriptOf), startRawBackend(scriptOf)]);
    const gone = await startRawBackend(() => undefined);
    try {
      for (const name of ['breaking', 'half-gone']) {
        await admin.call('PUT', `/api/services/${name}`, { balancing: 'round-robin', timeoutSeconds: 10 });
      }
      const register = async (url: string, name: string) => {
        const { status: code } = await server.call('POST', '/api/servers', { url, services: [{ name }] });
        expect(code).toBe(201);
      };
      await register(run.backend.url, 'breaking');
      await register(others[0].url, 'breaking');
      const all = [run.backend, ...others];
      const reached = () => all.flatMap(({ seen }) => seen.filter(({ target }) => target === '/read-and-reset?twice'));
      const broken = await run.callSync('breaking/read-and-reset?twice', { method: 'POST', body: 'work' });
      expect([broken.status, reached().length]).toEqual([502, 1]);

      await register(gone.url, 'half-gone');
      await register(others[1].url, 'half-gone');
      await gone.stop();
      for (let time = 0; time < 4; time++) {
        const told = await run.callSync('half-gone/target/kept', { method: 'POST', body: 'work' });
        expect([told.status, told.text]).toEqual([200, '/target/kept']);
      }
    } finally {
      await Promise.all(others.map((each) => each.stop()));
    }
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
