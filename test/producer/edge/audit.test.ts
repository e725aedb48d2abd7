import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../../producer/access.ts';
import { ask, environment, idFor, tokenFor } from '../client.ts';

interface Act {
  readonly act: string;
  readonly target: string;
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

async function acts(query = ''): Promise<{ acts: Act[]; nextCursor: string | null }> {
  const answer = await ask(environment(), `/api/audit${query}`, { token: await tokenFor('eve', 'viewer') });
  expect(answer.status).toBe(200);
  return answer.json();
}

const DEFINITION = { deadlineSeconds: 60 };

describe('the audit', () => {
  it('has a name for every change that an admin may make to what is not its own', () => {
    const nameless = [...ACCESS].filter(
      ([row, access]) =>
        typeof access !== 'string' &&
        access.roles.admin === 'all' &&
        !row.startsWith('GET ') &&
        access.act === undefined,
    );
    // What servers say of themselves is no act, whoever's token they send.
    expect(nameless.map(([row]) => row)).toEqual([
      'POST /api/servers/:id/heartbeat',
      'POST /api/servers/:id/leadership',
      'POST /api/servers/heartbeats',
    ]);
  });

  it('says who did what to which service, and how it stands since', async () => {
    const token = await tokenFor('olivia', 'admin');
    const put = await ask(environment(), '/api/services/audited', { method: 'PUT', token, body: DEFINITION });
    expect(put.status).toBe(200);
    expect((await ask(environment(), '/api/services/audited/pause', { method: 'POST', token })).status).toBe(200);
    const { acts: page } = await acts('?subject=olivia');
    expect(page.map(({ act, target }) => [act, target])).toEqual([
      ['service.pause', 'audited'],
      ['service.put', 'audited'],
    ]);
    expect(page[1]?.after).toEqual(DEFINITION);
  });

  it('says how a service stood before each act, and shows no secret of its headers to those who read', async () => {
    const token = await tokenFor('otto', 'admin');
    const headers = { 'x-api-key': 'not-for-viewers', 'x-plain': 'shown' };
    const change = (method: string, path: string, body?: unknown) =>
      ask(environment(), `/api/services/changed${path}`, { method, token, body });
    const until = '2100-01-01T00:00:00.000Z';
    for (const [method, path, body] of [
      ['PUT', '', { ...DEFINITION, headers }],
      ['PUT', '', { ...DEFINITION, maxConcurrency: 3, headers }],
      ['POST', '/pause', { until, reason: 'a move' }],
      ['POST', '/resume', { rampSeconds: 30 }],
      ['DELETE', '', undefined],
    ] as const) {
      expect((await change(method, path, body)).ok, `${method} ${path}`).toBe(true);
    }
    const { acts: page } = await acts('?subject=otto');
    const shown = { ...DEFINITION, headers: { 'x-api-key': '***', 'x-plain': 'shown' } };
    expect(page.map(({ act, before, after }) => ({ act, before, after })).reverse()).toMatchObject([
      { act: 'service.put', before: undefined, after: shown },
      { act: 'service.put', before: shown, after: { ...shown, maxConcurrency: 3 } },
      { act: 'service.pause', before: { paused: false }, after: { paused: true, until, reason: 'a move' } },
      { act: 'service.resume', before: { paused: true, reason: 'a move' }, after: { paused: false, rampSeconds: 30 } },
      { act: 'service.delete', before: { ...shown, maxConcurrency: 3 }, after: { force: false } },
    ]);
    expect(JSON.stringify(page)).not.toContain('not-for-viewers');
  });

  it('says whose flow, group or hook an administrator acted on', async () => {
    const token = await tokenFor('olga', 'admin');
    const pause = { method: 'POST', token, body: { reason: 'asked for' } };
    expect((await ask(environment(), '/api/flows/acme/pause?subject=alice', pause)).status).toBe(200);
    const url = 'https://hooks.example.com/tasks?key=not-for-viewers';
    const hook = { method: 'POST', token, body: { url, subject: 'alice', reason: 'asked for' } };
    expect((await ask(environment(), '/api/webhooks/pause', hook)).status).toBe(200);
    const { acts: page } = await acts('?subject=olga');
    expect(page).toMatchObject([
      { act: 'webhook.pause', after: { owner: 'alice', paused: true, reason: 'asked for' } },
      { act: 'flow.pause', target: 'alice/acme', after: { paused: true, reason: 'asked for' } },
    ]);
    expect(JSON.stringify(page)).not.toContain('not-for-viewers');
  });

  it('names the server that an administrator registered, and what it offers', async () => {
    const token = await tokenFor('wanda', 'admin');
    const body = { url: 'https://ocr-1.example.com', services: [{ name: 'read' }] };
    const answer = await ask(environment(), '/api/servers', { method: 'POST', token, body });
    const { id } = await answer.json<{ id: string }>();
    expect((await acts('?subject=wanda')).acts).toMatchObject([
      { act: 'server.register', target: id, after: { url: body.url, services: ['read'] } },
    ]);
  });

  it('refuses a kind of act that there is not', async () => {
    const token = await tokenFor('eve', 'viewer');
    const answer = await ask(environment(), '/api/audit?act=service.pauze', { token });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('did you mean service.pause?');
  });

  it('has nothing of what was refused, nor of what people do to their own tasks', async () => {
    const token = await tokenFor('rita', 'admin');
    expect((await ask(environment(), '/api/services/nowhere/pause', { method: 'POST', token })).status).toBe(404);
    const own = await tokenFor('carl');
    await ask(environment(), `/api/task/${await idFor('carl')}/cancel`, { method: 'POST', token: own });
    expect((await acts('?subject=rita')).acts).toEqual([]);
    expect((await acts('?subject=carl')).acts).toEqual([]);
  });

  it('is read page by page, each act once', async () => {
    const token = await tokenFor('pat', 'admin');
    for (let at = 0; at < 5; at++) {
      await ask(environment(), '/api/services/audited/resume', { method: 'POST', token });
    }
    const seen: unknown[] = [];
    let query = '?subject=pat&limit=2';
    for (let turn = 0; turn < 4; turn++) {
      const { acts: page, nextCursor } = await acts(query);
      seen.push(...page);
      if (nextCursor === null) break;
      query = `?subject=pat&limit=2&cursor=${nextCursor}`;
    }
    expect(seen).toHaveLength(5);
  });

  it('is not for clients', async () => {
    expect((await ask(environment(), '/api/audit')).status).toBe(403);
  });
});
