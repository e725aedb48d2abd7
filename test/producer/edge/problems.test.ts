import { describe, expect, it, vi } from 'vitest';
import { PROBLEMS } from '../../../shared/problem/problem.ts';
import { ask, catchFailureLog, documentIn, environment, noDatabase } from '../client.ts';

catchFailureLog();
const warnings = vi.spyOn(console, 'warn').mockReturnValue(undefined);

describe('a problem', () => {
  it.each(Object.entries(PROBLEMS))('%s is explained at the address that is its type', async (code, { title }) => {
    const page = await ask(environment(), `/docs/problems/${code}`, { token: undefined });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const html = await page.text();
    expect(html).toContain(title);
    expect(html).toContain(code);
  });

  it.each(['constructor', '__proto__', 'nothing', '%3Cscript%3E'])('%s is none', async (code) => {
    expect((await ask(environment(), `/docs/problems/${code}`)).status).toBe(404);
  });

  it.each([
    ['/api/tasks', { token: 'a.b.c' }, 401],
    ['/api/nothing', {}, 404],
    ['/api/task', { body: '{' }, 400],
    ['/api/task', { body: { service: 'echo', extra: 1 } }, 400],
    ['/api/service/nobody/v1', {}, 404],
  ])('of %s %j leads to its page and names its request', async (path, options, status) => {
    const headers = { 'cf-ray': '8f00ba4-VIE' };
    const answer = await ask(environment(), path, { ...options, headers });
    expect(answer.status).toBe(status);
    const { type, requestId } = await documentIn(answer);
    expect(requestId).toBe('8f00ba4-VIE');
    expect((await ask(environment(), String(type))).status).toBe(200);
    expect((await documentIn(await ask(environment(), path, options))).requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('of ours is in the log under its request', async () => {
    const answer = await ask(environment({ TASK_DB_0: noDatabase }), '/api/tasks');
    expect(answer.status).toBe(503);
    const { requestId } = await documentIn(answer);
    expect(warnings.mock.calls.map(([line]) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ event: 'request.refused', requestId, status: 503, path: '/api/tasks' }),
    );
  });
});

describe('a name that is not known', () => {
  const reasonFor = async (body: unknown, path = '/api/task') => {
    const { errors } = await documentIn(await ask(environment(), path, { body }));
    return (errors as { field: string; reason: string }[])[0];
  };

  it.each([
    [{ service: 'echo', pyload: 1 }, '/pyload', 'payload'],
    [{ service: 'echo', deadline_seconds: 1 }, '/deadline_seconds', 'deadlineSeconds'],
    [{ service: 'echo', Headers: {} }, '/Headers', 'headers'],
    [{ service: 'echo', retry: { maxAttemps: 1 } }, '/retry/maxAttemps', 'maxAttempts'],
    [{ service: 'echo', method: 'POSTT' }, '/method', 'POST'],
  ])('%j is told which it is close to', async (body, field, meant) => {
    expect(await reasonFor(body)).toEqual({ field, reason: expect.stringContaining(`did you mean ${meant}?`) });
  });

  it('is told nothing when it is close to none', async () => {
    expect(await reasonFor({ service: 'echo', sorcery: 1 })).toEqual({
      field: '/sorcery',
      reason: 'is not known here; correct its name or remove it',
    });
  });
});

describe('a path', () => {
  const statusOf = async (path: string) =>
    (await ask(environment(), '/api/task', { body: { service: 'echo', path } })).status;

  it.each(['/a?u=https%3A%2F%2Fh%2F..%2Fx', '/a?u=../x', '/a?x=/./y', '/a/...', '/a?x=%00', `/${'a'.repeat(7999)}`])(
    'like %.40s is taken',
    async (path) => {
      expect([202, 503]).toContain(await statusOf(path));
    },
  );

  it.each(['/a/../b', '/a/%2e%2e/b?x=1', '/a/..?x=1', '/a%00', '/a\tb', `/${'a'.repeat(8000)}`])(
    'like %.40s is refused',
    async (path) => {
      expect(await statusOf(path)).toBe(400);
    },
  );

  it('that is too long is told how long it may be', async () => {
    const answer = await ask(environment(), '/api/task', {
      body: { service: 'echo', path: `/?q=${'a'.repeat(8000)}` },
    });
    expect((await documentIn(answer)).detail).toContain('at most 8000 characters, its query included');
  });
});
