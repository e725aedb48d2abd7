import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../../producer/access.ts';
import { apiDocument } from '../../../producer/document/document.ts';
import { declaredParameters } from '../../../producer/edge/query-parameters.ts';
import type { Role } from '../../../shared/auth/role.ts';
import { app, ask, documentIn, environment, tokenFor } from '../client.ts';

/** With a role that may, where it is for roles. */
const ROUTES = [...declaredParameters(app)].map(([row, { size }]) => {
  const [method = '', path = ''] = row.split(' ');
  return { method, path: path.replaceAll(/:\w+/g, 'x'), role: roleOf(row), takes: size };
});

function roleOf(row: string): Role | undefined {
  const access = ACCESS.get(row);
  return typeof access === 'object' ? (Object.keys(access.roles) as Role[])[0] : undefined;
}

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: { type?: unknown } }[];
}

/** Every query parameter of the API document. */
const PARAMETERS = Object.entries(apiDocument(app).paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item as Record<string, Operation>).flatMap(([verb, { parameters = [] }]) => {
    const method = verb.toUpperCase();
    const role = roleOf(`${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`);
    return parameters
      .filter((each) => each.in === 'query')
      .map(({ name, schema }) => ({
        method,
        path: path.replaceAll(/\{\w+\}/g, 'x'),
        role,
        name,
        isList: schema.type === 'array',
      }));
  }),
);

interface Errors {
  readonly errors?: readonly { readonly field: string; readonly reason: string }[];
}

async function refusalOf(
  address: string,
  method: string,
  role: Role | undefined,
): Promise<Errors & { detail?: string }> {
  const answer = await ask(environment(), address, { method, token: await tokenFor('root', role) });
  expect(answer.status).toBe(400);
  return documentIn(answer);
}

describe('an address that takes no parameters', () => {
  const bare = ROUTES.filter(({ takes }) => takes === 0);

  it('is one of many', () => {
    expect(bare.length).toBeGreaterThan(15);
  });

  it.each(bare)('$method $path refuses one that it does not know', async ({ method, path, role }) => {
    expect(await refusalOf(`${path}?surprise=1`, method, role)).toMatchObject({ errors: [{ field: 'surprise' }] });
  });

  it('leaves the query of the synchronous route to its backend, and documented parameters to their schema', async () => {
    const paths = [...declaredParameters(app).keys()].filter((row) => row.includes('/api/service/'));
    expect(paths).toEqual([]);
    expect((await ask(environment(), '/api/tasks?limit=5')).status).toBe(200);
    expect((await ask(environment(), '/api/tasks?limt=5')).status).toBe(400);
  });
});

describe('a parameter that is given twice', () => {
  const single = PARAMETERS.filter(({ isList }) => !isList);
  const lists = PARAMETERS.filter(({ isList }) => isList);

  it('is one of many, and some are lists', () => {
    expect(single.length).toBeGreaterThan(50);
    expect(lists.length).toBeGreaterThan(3);
  });

  it.each(single)('$method $path says of $name to give it once', async ({ method, path, role, name }) => {
    const { detail, errors } = await refusalOf(`${path}?${name}=1&${name}=2`, method, role);
    expect(errors).toEqual([{ field: name, reason: 'is given twice; give it once' }]);
    expect(detail).toBe(`${name}: is given twice; give it once`);
  });

  it.each(lists)('$method $path takes $name as a list', async ({ method, path, role, name }) => {
    const { errors = [] } = await refusalOf(`${path}?${name}=1&${name}=2&surprise=3`, method, role);
    expect(errors.map(({ field }) => field)).toContain('surprise');
    expect(errors.map(({ reason }) => reason).join()).not.toContain('give it once');
  });

  it('is named beside others, and an unknown one is told its name first', async () => {
    const both = await refusalOf('/api/tasks?limit=1&limit=2&limit=3&ref=a&ref=b&label=a:b&label=c:d', 'GET', 'client');
    expect(both).toMatchObject({
      detail: 'limit: is given 3 times; give it once (and 1 more)',
      errors: [{ field: 'limit' }, { field: 'ref' }],
    });
    expect(await refusalOf('/api/tasks?limt=1&limt=2', 'GET', 'client')).toMatchObject({
      errors: [{ field: 'limt', reason: expect.stringContaining('did you mean limit?') }],
    });
  });
});
