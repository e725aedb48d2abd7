/** Names that every object has by nature are names like any other: found where they were given, and nowhere else. */
import { describe, expect, it, vi } from 'vitest';
import { serve } from '../../producer/serve.ts';
import { SERVICE_NAME_PATTERN } from '../../shared/service/definition.ts';
import { app, ask, catchFailureLog, documentIn, environment, queueStub, tokenFor } from './client.ts';

const failureLog = catchFailureLog();
vi.spyOn(console, 'warn').mockReturnValue(undefined);

const INHERITED = Object.getOwnPropertyNames(Object.prototype);
const AS_SERVICES = INHERITED.filter((name) => SERVICE_NAME_PATTERN.test(name));

/** With a service of this name, its keys in a pool of this name, and one that has nothing to do with either. */
function surroundings(name: string) {
  const queue = queueStub();
  const service = { baseUrl: 'http://backend.test', keyPool: name };
  const SERVICES = JSON.stringify({ [name]: service, pooled: service, plain: { baseUrl: 'http://backend.test' } });
  return { queue, here: environment({ SERVICES, TASK_QUEUE_0: queue, TASK_QUEUE_1: queue }) };
}

it('are met at all', () => {
  expect(AS_SERVICES).toEqual(['constructor']);
});

describe.each(AS_SERVICES)('the name %s', (name) => {
  it('is a service and a pool where it is one', async () => {
    const { here, queue } = surroundings(name);
    for (const service of [name, 'pooled', 'plain']) {
      expect((await ask(here, '/api/task', { body: { service } })).status).toBe(202);
    }
    const batch = await ask(here, '/api/tasks/batch', { body: { tasks: [{ service: name }, { service: 'pooled' }] } });
    expect(batch.status).toBe(202);
    expect(queue.sent).toHaveLength(5);
  });

  it('is no service where it is none', async () => {
    const here = environment();
    expect((await ask(here, '/api/task', { body: { service: name } })).status).toBe(422);
    expect((await ask(here, `/api/service/${name}/v1`)).status).toBe(404);
    const { results } = await documentIn(await ask(here, '/api/tasks/batch', { body: { tasks: [{ service: name }] } }));
    expect(results).toMatchObject([{ problem: { status: 422 } }]);
  });

  it('is answered on the synchronous route, with keys that no shard has', async () => {
    const { here } = surroundings(name);
    for (const service of [name, 'pooled']) expect((await ask(here, `/api/service/${service}/v1`)).status).toBe(503);
    expect(failureLog).not.toHaveBeenCalled();
  });

  it('can be put, listed, asked about, paused and deleted', async () => {
    const here = environment();
    const token = await tokenFor('root', 'admin');
    const put = await ask(here, `/api/services/${name}`, { method: 'PUT', body: {}, token });
    expect(put.status).toBe(200);
    expect((await ask(here, `/api/services/${name}/demand`)).status).toBe(200);
    expect((await ask(here, `/api/services/${name}/pause`, { method: 'POST', token })).status).toBe(200);
    expect((await ask(here, `/api/services/${name}/resume`, { method: 'POST', token })).status).toBe(200);
    // Many clients say that they send JSON whether they send any or not.
    const bare = { method: 'POST', token, headers: { 'content-type': 'application/json' } };
    for (const act of ['pause', 'resume']) {
      expect((await ask(here, `/api/services/${name}/${act}`, bare)).status).toBe(200);
    }
    expect((await ask(here, `/api/services/${name}`, { method: 'DELETE', token })).status).toBe(204);
    expect((await ask(here, `/api/services/${name}/demand`)).status).toBe(404);
  });
});

describe.each(INHERITED.filter((name) => name !== '__proto__'))('%s', (name) => {
  it('is a label, a header, a capability and an affinity key where the rules of names allow it', async () => {
    const queue = queueStub();
    const here = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });
    const isLabel = /^[A-Za-z]/.test(name);
    const named = { [name]: 'x' };
    const body = {
      service: 'echo',
      headers: named,
      affinityKey: name,
      ...(isLabel && { labels: named, requires: { capabilities: named } }),
    };
    expect((await ask(here, '/api/task', { body })).status).toBe(202);
    expect(queue.sent[0]?.task).toMatchObject({ request: { headers: named }, ...(isLabel && { labels: named }) });
    if (!isLabel) expect((await ask(here, '/api/task', { body: { ...body, labels: named } })).status).toBe(400);
  });

  it('is nothing that is there: no field, no filter, no task, no key, no server', async () => {
    const here = environment();
    expect((await ask(here, '/api/task', { body: { service: 'echo', [name]: 1 } })).status).toBe(400);
    expect((await ask(here, `/api/tasks?${name}=1`)).status).toBe(400);
    expect((await ask(here, `/api/task/${name}`)).status).toBe(404);
    const token = await tokenFor('root', 'admin');
    expect((await ask(here, `/api/servers/${name}`, { token })).status).toBe(404);
    expect((await ask(here, `/api/keys/0/${name}/disable`, { method: 'POST', token })).status).toBe(404);
    expect((await ask(here, `/api/keys/0/1/${name}`, { method: 'POST', token })).status).toBe(400);
  });
});

it.each(['a b', '[::1', 'x:99999', '%'])('a host %j is refused', async (host) => {
  const request = new Request('http://tasklane.test/api/service/echo/v1');
  Object.defineProperty(request, 'url', { value: `http://${host}/api/service/echo/v1` });
  expect((await serve(app, request, environment())).status).toBe(400);
});
