import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../producer/access.ts';
import { routesWithoutQuery } from '../../producer/no-parameters.ts';
import type { Role } from '../../shared/auth/role.ts';
import { app, ask, documentIn, environment, tokenFor } from './client.ts';

/** With a role that may, where it is for roles. */
const ROUTES = [...routesWithoutQuery(app)].map((row) => {
  const [method = '', path = ''] = row.split(' ');
  const access = ACCESS.get(row);
  const [role] = typeof access === 'object' ? (Object.keys(access.roles) as Role[]) : [];
  return { method, path: path.replaceAll(/:\w+/g, 'x'), role };
});

describe('an address that takes no parameters', () => {
  it('is one of many', () => {
    expect(ROUTES.length).toBeGreaterThan(15);
  });

  it.each(ROUTES)('$method $path refuses one that it does not know', async ({ method, path, role }) => {
    const answer = await ask(environment(), `${path}?surprise=1`, { method, token: await tokenFor('root', role) });
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field: 'surprise' }] });
  });

  it('leaves the query of the synchronous route to its backend, and documented parameters to their schema', async () => {
    const paths = [...routesWithoutQuery(app)].filter((row) => row.includes('/api/service/'));
    expect(paths).toEqual([]);
    expect((await ask(environment(), '/api/tasks?limit=5')).status).toBe(200);
    expect((await ask(environment(), '/api/tasks?limt=5')).status).toBe(400);
  });
});
