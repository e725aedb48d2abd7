import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../producer/access.ts';
import { ask, environment, idFor, tokenFor } from './client.ts';

interface Act {
  readonly act: string;
  readonly target: string;
  readonly subject: string;
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
