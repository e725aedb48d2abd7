import { describe, expect, it } from 'vitest';
import { routesWithoutQuery } from '../../producer/no-parameters.ts';
import { app, ask, documentIn, environment, tokenFor } from './client.ts';

const ROUTES = [...routesWithoutQuery(app)].map((row) => {
  const [method = '', path = ''] = row.split(' ');
  return { method, path: path.replaceAll(/:\w+/g, 'x') };
});

describe('an address that takes no parameters', () => {
  it('is one of many', () => {
    expect(ROUTES.length).toBeGreaterThan(15);
  });

  it.each(ROUTES)('$method $path refuses one that it does not know', async ({ method, path }) => {
    const answer = await ask(environment(), `${path}?surprise=1`, { method, token: await tokenFor('root', 'admin') });
    // What is not for an admin, or needs another token, is refused before.
    expect([400, 401, 403]).toContain(answer.status);
    if (answer.status === 400) {
      expect(await documentIn(answer)).toMatchObject({ errors: [{ field: 'surprise' }] });
    }
  });

  it('leaves the query of the synchronous route to its backend, and documented parameters to their schema', async () => {
    const paths = [...routesWithoutQuery(app)].filter((row) => row.includes('/api/service/'));
    expect(paths).toEqual([]);
    expect((await ask(environment(), '/api/tasks?limit=5')).status).toBe(200);
    expect((await ask(environment(), '/api/tasks?limt=5')).status).toBe(400);
  });
});
