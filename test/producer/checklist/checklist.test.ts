import { describe, expect, it } from 'vitest';
import { ask, documentIn, environment, tokenFor } from '../client.ts';

interface Line {
  readonly item: string;
  readonly state: string;
  readonly says: string;
}

describe('the checklist of a deployment', () => {
  const here = environment();
  const read = async () =>
    (await documentIn(await ask(here, '/api/checklist', { token: await tokenFor('eve', 'viewer') }))) as {
      items: Line[];
      secrets: { name: string; fingerprint?: string }[];
    };
  const lineOf = async (item: string) => (await read()).items.find((line) => line.item === item);

  it('notes what was tried by hand, with who and when', async () => {
    expect(await lineOf('rollback')).toMatchObject({ state: 'missing', says: 'never noted' });
    const token = await tokenFor('root', 'admin');
    const body = { note: 'release 12 and back' };
    expect((await ask(here, '/api/checklist/rollback', { token, body })).status).toBe(200);
    expect((await ask(here, '/api/checklist/backup', { token, method: 'POST' })).status).toBe(200);
    expect(await lineOf('rollback')).toMatchObject({ state: 'ok', says: expect.stringContaining('by root') });
    expect(await lineOf('backup')).toMatchObject({ state: 'ok' });
    const { acts } = (await documentIn(await ask(here, '/api/audit?act=checklist.note', { token }))) as {
      acts: object[];
    };
    expect(acts).toMatchObject([{ target: 'backup' }, { target: 'rollback', after: body }]);
  });

  it('refuses to note what only the deployment can know', async () => {
    const token = await tokenFor('root', 'admin');
    expect((await ask(here, '/api/checklist/secrets-strong', { token, method: 'POST' })).status).toBe(400);
  });

  it('never shows a secret, nor a fingerprint of a weak one', async () => {
    const { items, secrets } = await read();
    expect(items.find(({ item }) => item === 'secrets-strong')).toMatchObject({ state: 'missing' });
    expect(JSON.stringify(items)).not.toContain('of-the-tests');
    expect(secrets.map(({ name, fingerprint }) => [name, fingerprint])).toEqual([
      ['JWT_SECRET', undefined],
      ['ID_SECRET', undefined],
      ['WEBHOOK_SECRET', undefined],
    ]);
  });
});
