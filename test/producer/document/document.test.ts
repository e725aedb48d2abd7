import { expect, it } from 'vitest';
import { createApp } from '../../../producer/api.ts';
import { apiDocument } from '../../../producer/document/document.ts';
import { JOB_ID_PATTERN } from '../../../shared/job/job.ts';

const app = createApp();
const document = apiDocument(app);

interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: object[];
  responses: Record<string, unknown>;
}

const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item as Record<string, Operation>).map(([method, operation]) => ({ path, method, operation })),
);

it('describes every route of the API', () => {
  const described = new Set(
    operations.map(({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  // The synchronous route takes any method; the document shows two of them.
  const passedOn = ['GET', 'POST'].map((method) => `${method} /api/service/:name/:path`);
  const routed = new Set([...app.routes.map(({ method, path }) => `${method} ${path}`), ...passedOn]);
  for (const other of [
    'GET /openapi.json',
    'ALL /api/service/:name',
    'ALL /api/service/:name/*',
    'ALL /*',
    'GET /docs/problems/:code',
  ]) {
    expect(routed.delete(other), other).toBe(true);
  }
  expect(described).toEqual(routed);
});

it('names every operation once and says what it does', () => {
  const names = operations.map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { operation } of operations) {
    expect(operation.summary).toBeTruthy();
    expect(operation.tags).toHaveLength(1);
    expect(operation.security).toBeDefined();
    expect(operation.responses).toHaveProperty('500');
  }
});

it('says of every operation which token it asks for, and which roles may', () => {
  const of = (path: string, method: string) => operations.find((each) => each.path === path && each.method === method);
  expect(of('/api/tasks', 'get')?.operation).toMatchObject({
    security: [{ token: [] }],
    description: expect.stringContaining('Roles: `client`, `admin`, `viewer`.'),
  });
  expect(of('/api/task/{id}', 'put')?.operation.security).toEqual([{ attempt: [] }]);
  expect(of('/healthz', 'get')?.operation.security).toEqual([]);
  expect(apiDocument(app)).toEqual(document);
});

it('shows an example of every body, and of every parameter of an address', () => {
  for (const { path, method, operation } of operations) {
    const {
      requestBody,
      responses,
      parameters = [],
    } = operation as {
      requestBody?: { content: Record<string, object> };
      responses: Record<string, { content?: Record<string, object> }>;
      parameters?: { in: string; name: string; schema: object }[];
    };
    const bodies = [requestBody, ...Object.values(responses)].flatMap((body) => Object.values(body?.content ?? {}));
    for (const body of bodies) expect('example' in body || 'examples' in body, `${method} ${path}`).toBe(true);
    for (const parameter of parameters.filter((each) => each.in === 'path')) {
      const where = `${method} ${path} ${parameter.name}`;
      expect(parameter, where).toHaveProperty('required', true);
      // Samples of code call it, so it is one of its kind.
      expect('example' in parameter || 'example' in parameter.schema || 'enum' in parameter.schema, where).toBe(true);
    }
  }
});

it('shows ids that are ids of their kind in its samples', () => {
  const samples = JSON.stringify(operations.map(({ operation }) => operation));
  const jobs = samples.match(/job_\w+/g) ?? [];
  expect(jobs.length).toBeGreaterThan(3);
  for (const id of jobs) expect(id).toMatch(JOB_ID_PATTERN);
  expect(samples).not.toMatch(/jobs\/tsk_/);
});

it('has patterns that a reader can use: no flags of ours, and their own examples fit', () => {
  const seen: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { pattern, example } = value as { pattern?: unknown; example?: unknown };
    if (typeof pattern === 'string') {
      seen.push(pattern);
      expect(pattern).not.toMatch(/^\/|\/[a-z]+$/);
      const read = new RegExp(pattern, 'u');
      if (typeof example === 'string') expect(example).toMatch(read);
    }
    for (const member of Object.values(value)) walk(member);
  };
  walk(document);
  expect(seen.length).toBeGreaterThan(10);
});

it('is OpenAPI 3.1 with problems as application/problem+json', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(JSON.stringify(operations[0]?.operation.responses['400'])).toContain('application/problem+json');
  expect(document.components.schemas).toHaveProperty('Problem');
});

it('never says that a parameter may be null: what stands in an address is a text', () => {
  const parameters = operations.flatMap(({ path, operation }) =>
    ((operation as { parameters?: { name: string; schema: object }[] }).parameters ?? []).map((each) => ({
      where: `${path} ${each.name}`,
      schema: JSON.stringify(each.schema),
    })),
  );
  expect(parameters.some(({ schema }) => schema.includes('"number"'))).toBe(true);
  expect(parameters.filter(({ schema }) => schema.includes('"null"'))).toEqual([]);
});
