import { describe, expect, it, vi } from 'vitest';
import { ask, documentIn, environment, noDatabase, queueStub, tokenFor } from '../client.ts';

const here = environment();

for (const level of ['log', 'warn'] as const) vi.spyOn(console, level).mockReturnValue(undefined);

const root = () => tokenFor('root', 'admin');

async function put(name: string, definition: unknown, environment: object = here): Promise<Response> {
  return ask(environment, `/api/services/${name}`, { method: 'PUT', body: definition, token: await root() });
}

async function listed(name: string): Promise<unknown> {
  const { services } = await documentIn(await ask(here, '/api/services'));
  return (services as { name: string }[]).find((service) => service.name === name);
}

describe('a service that is put', () => {
  it('is there with its defaults, beside those of the file', async () => {
    const answer = await put('ocr', { balancing: 'peak-ewma', timeoutSeconds: 60 });
    expect(answer.status).toBe(200);
    expect(await documentIn(answer)).toMatchObject({
      name: 'ocr',
      version: expect.any(Number),
      definition: { balancing: 'peak-ewma', timeoutSeconds: 60, retry: { maxAttempts: 8 } },
    });
    expect(await listed('ocr')).toEqual({
      name: 'ocr',
      source: 'api',
      paused: false,
      balancing: 'peak-ewma',
      target: 'servers',
      servers: { total: 0, available: 0 },
      inFlight: 0,
    });
    expect(await listed('echo')).toMatchObject({ source: 'file', target: 'fixed' });
  });

  it('names what is wrong with its definition', async () => {
    const wrong: [unknown, string][] = [
      [{ baseUrl: 'https://a.example.com', binding: 'OCR' }, '/baseUrl'],
      [{ timeoutSeconds: -1 }, '/timeoutSeconds'],
      [{ keyPool: 'default' }, '/auth/origins'],
      [{ sorcery: true }, '/sorcery'],
    ];
    for (const [definition, field] of wrong) {
      const answer = await put('wrong', definition);
      expect(answer.status).toBe(400);
      expect(await documentIn(answer)).toMatchObject({ errors: [{ field }] });
    }
    expect((await put('No-Name', {})).status).toBe(400);
  });

  it('has no private address in a deployment', async () => {
    const deployed = environment({ ALLOW_PRIVATE_TARGETS: 'false', SERVICES: {} });
    const answer = await put('inside', { baseUrl: 'https://10.0.0.1' }, deployed);
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field: '/baseUrl' }] });
  });

  it('is refused with the remedy when its pool has no key or its secret is unknown, and warned of a long call', async () => {
    const deployed = environment({ ALLOW_PRIVATE_TARGETS: 'false', SERVICES: {}, KEY_SHARDS: { default: [0] } });
    const baseUrl = 'https://api.example.com';
    const refused = async (definition: object) => {
      const response = await put('reviewed', { baseUrl, ...definition }, deployed);
      expect(response.status).toBe(400);
      return ((await response.json()) as { errors: unknown[] }).errors;
    };
    expect(await refused({ keyPool: 'gemini' })).toEqual([
      { field: '/keyPool', reason: expect.stringContaining('give one as KEY_GEMINI_1') },
    ]);
    expect(await refused({ headers: { 'x-token': { secret: 'NOWHERE' } } })).toEqual([
      { field: '/headers/x-token/secret', reason: expect.stringContaining('the consumers hold no secret NOWHERE') },
    ]);
    const taken = await put('reviewed', { baseUrl, keyPool: 'default', timeoutSeconds: 300 }, deployed);
    expect(await taken.json()).toMatchObject({
      warnings: [{ field: '/timeoutSeconds', reason: expect.stringContaining('524') }],
    });
  });

  it('is refused when a key of its pool was given twice, on whichever shards, in the words of the plan', async () => {
    const shard = (...keys: [variable: string, pool: string, fingerprint: string][]) => ({
      fingerprints: async () => keys.map(([variable, pool, fingerprint]) => ({ variable, pool, fingerprint })),
    });
    const gone = { fingerprints: () => Promise.reject(new Error('gone')) };
    const twice = environment({
      KEY_SHARDS: { default: [0, 1], gemini: [2] },
      CONSUMER_0: shard(['KEY1', 'default', 'aa'], ['KEY2', 'default', 'bb']),
      CONSUMER_1: shard(['KEY9', 'default', 'aa']),
      CONSUMER_2: shard(['KEY_GEMINI_1', 'gemini', 'cc'], ['KEY_GEMINI_2', 'gemini', 'cc']),
      CONSUMER_3: gone,
    });
    const errorsOf = async (keyPool: string) => {
      const answer = await put('twice', { baseUrl: 'https://api.example.com', keyPool }, twice);
      return answer.status === 200 ? [] : (await documentIn(answer)).errors;
    };
    const said = (names: string) => [
      {
        field: '/keyPool',
        reason: `${names} hold the same key, which would be called more often than its limits allow; remove one`,
      },
    ];
    const log = vi.spyOn(console, 'error').mockReturnValue(undefined);
    expect(await errorsOf('default')).toEqual(said('KEY1 and KEY9'));
    expect(await errorsOf('gemini')).toEqual(said('KEY_GEMINI_1 and KEY_GEMINI_2'));
    log.mockRestore();
    const once = { ...twice, CONSUMER_1: shard(['KEY9', 'default', 'dd']), CONSUMER_3: shard() };
    const answer = await put('twice', { baseUrl: 'https://api.example.com', keyPool: 'default' }, once);
    expect(answer.status).toBe(200);
  });

  it('takes tasks at once, also in an isolate that has never heard of it', async () => {
    await put('fresh', { deadlineSeconds: 60, retry: { maxAttempts: 2 } });
    for (const isolate of [here, environment()]) {
      const queue = queueStub();
      const body = { service: 'fresh', affinityKey: 'acme', requires: { tier: 2, capabilities: { gpu: true } } };
      const answer = await ask(
        { ...isolate, TASK_QUEUE_0: queue, TASK_QUEUE_1: queue, TASK_DB_0: noDatabase },
        '/api/task',
        {
          body,
        },
      );
      expect(answer.status).toBe(202);
      expect(queue.sent[0]?.task).toMatchObject({
        service: 'fresh',
        policy: { maxAttempts: 2 },
        request: { requirements: { affinityKey: 'acme', tier: 2, capabilities: { gpu: true } } },
      });
    }
  });

  it('is known in time to an isolate that knew it otherwise', async () => {
    const isolate = environment();
    const policyOf = async () => {
      const queue = queueStub();
      await ask({ ...isolate, TASK_QUEUE_0: queue, TASK_QUEUE_1: queue }, '/api/task', { body: { service: 'echo' } });
      return queue.sent[0]?.task.policy.maxAttempts;
    };
    expect(await policyOf()).toBe(8);
    await put('echo', { baseUrl: 'http://backend.test', retry: { maxAttempts: 3 } });
    expect(await policyOf()).toBe(3);
    await ask(here, '/api/services/echo', { method: 'DELETE', token: await root() });
  });

  it('still takes tasks while the registry does not answer', async () => {
    const queue = queueStub();
    const REGISTRY = { readServices: () => Promise.reject(new Error('no registry today')) };
    const isolate = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue, REGISTRY });
    expect((await ask(isolate, '/api/task', { body: { service: 'echo' } })).status).toBe(202);
    const unknown = await ask(isolate, '/api/task', { body: { service: 'nobody' } });
    expect(unknown.status).toBe(422);
  });

  it('is gone when it was deleted; one of the file comes back', async () => {
    await put('passing', {});
    const remove = async (name: string) =>
      ask(here, `/api/services/${name}`, { method: 'DELETE', token: await root() });
    expect((await remove('passing')).status).toBe(204);
    expect(await listed('passing')).toBeUndefined();
    expect((await ask(here, '/api/task', { body: { service: 'passing' } })).status).toBe(422);
    expect((await remove('passing')).status).toBe(404);
    await put('echo', { baseUrl: 'https://other.example.com' });
    expect(await listed('echo')).toMatchObject({ source: 'api' });
    await remove('echo');
    expect(await listed('echo')).toMatchObject({ source: 'file' });
  });
});

describe('a service with tasks that have not ended', () => {
  const recording = () => {
    const queue = queueStub();
    return environment({ ACCEPT: 'queue+record', TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });
  };
  const remove = async (name: string, query = '') =>
    ask(here, `/api/services/${name}${query}`, { method: 'DELETE', token: await root() });
  const submit = async (body: object) => {
    const { id } = await documentIn(await ask(recording(), '/api/task', { body }));
    return async () => documentIn(await ask(recording(), `/api/task/${id}`));
  };

  it('is not deleted, unless that is forced: they end then, and say why', async () => {
    await put('leaving', { baseUrl: 'http://backend.test' });
    const waiting = await submit({ service: 'leaving' });
    const later = await submit({ service: 'leaving', delaySeconds: 3600 });
    const other = await submit({ service: 'echo' });
    const refused = await remove('leaving');
    expect(refused.status).toBe(409);
    expect(await documentIn(refused)).toMatchObject({
      type: '/docs/problems/service-busy',
      detail: expect.stringContaining('2 tasks'),
    });
    expect((await remove('leaving', '?force=false')).status).toBe(409);
    expect(await waiting()).toMatchObject({ status: 'queued' });
    expect((await remove('leaving', '?force=true')).status).toBe(204);
    for (const task of [waiting, later]) {
      expect(await task()).toMatchObject({ status: 'cancelled', error: { class: 'service-deleted' } });
    }
    expect(await other()).toMatchObject({ status: 'queued' });
  });

  it.each(['?force=yes', '?force', '?forced=true', '?force=true&force=false'])(
    'is not deleted by %s',
    async (query) => {
      await put('staying', { baseUrl: 'http://backend.test' });
      expect((await remove('staying', query)).status).toBe(400);
      expect(await listed('staying')).toBeDefined();
    },
  );
});

describe('pausing', () => {
  it.each([
    [{ untill: '2099-01-01T00:00:00Z' }, '/untill', /did you mean until/],
    [{ until: '2020-01-01T00:00:00Z' }, '/until', /past/],
    [{ until: 'tomorrow' }, '/until', /./],
    [{ reason: 5 }, '/reason', /./],
    [{ __proto__: null, constructor: 1 }, '/constructor', /not known/],
  ])('refuses %j, and the service goes on', async (body, field, reason) => {
    await put('restless', {});
    const answer = await ask(here, '/api/services/restless/pause', { body, token: await root() });
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field, reason: expect.stringMatching(reason) }] });
    expect(await listed('restless')).toMatchObject({ paused: false });
  });

  it('keeps its reason and its end, with a body or none', async () => {
    await put('tired', {});
    const body = { until: '2099-01-01T00:00:00.000Z', reason: 'maintenance' };
    const paused = await ask(here, '/api/services/tired/pause', { body, token: await root() });
    expect([paused.status, await documentIn(paused)]).toEqual([200, { name: 'tired', paused: true, ...body }]);
    expect(await listed('tired')).toMatchObject({ paused: true, pause: body });
  });

  it('is shown, and ends with resume', async () => {
    await put('resting', {});
    const post = async (action: string) =>
      ask(here, `/api/services/resting/${action}`, { method: 'POST', token: await root() });
    expect(await documentIn(await post('pause'))).toEqual({ name: 'resting', paused: true });
    expect(await listed('resting')).toMatchObject({ paused: true });
    expect(await documentIn(await post('resume'))).toEqual({ name: 'resting', paused: false });
    expect(await listed('resting')).toMatchObject({ paused: false });
  });

  it('may end with a ramp, which the service shows while it lasts', async () => {
    await put('warming', { requestsPerSecond: 50 });
    const token = await root();
    const resume = (body: object) => ask(here, '/api/services/warming/resume', { body, token });
    expect(await documentIn(await resume({ rampSeconds: 60 }))).toEqual({
      name: 'warming',
      paused: false,
      rampSeconds: 60,
    });
    const detail = await documentIn(await ask(here, '/api/services/warming', { token }));
    expect(detail).toMatchObject({ ramp: { perSecond: expect.closeTo(1, 0) } });
    expect((await resume({ rampSecond: 60 })).status).toBe(400);
  });

  it('of what is not there is refused', async () => {
    const answer = await ask(here, '/api/services/nobody/pause', { method: 'POST', token: await root() });
    expect(answer.status).toBe(404);
    expect(await documentIn(answer)).toMatchObject({ type: '/docs/problems/service-not-found' });
  });
});

describe('one service', () => {
  it('shows the definition that is in force, where it comes from, and what it overrides, without secrets', async () => {
    const see = async (name: string) => ask(here, `/api/services/${name}`, { token: await tokenFor('vera', 'viewer') });
    expect(await documentIn(await see('echo'))).toMatchObject({ source: 'file', definition: { timeoutSeconds: 30 } });
    await put('echo', { baseUrl: 'https://other.example.com', headers: { 'x-api-key': 'geheim', 'x-team': 'blue' } });
    const detail = await documentIn(await see('echo'));
    expect(detail).toMatchObject({
      source: 'api',
      definition: { baseUrl: 'https://other.example.com', headers: { 'x-api-key': '***', 'x-team': 'blue' } },
      overridden: { method: 'POST' },
    });
    expect(JSON.stringify(detail)).not.toContain('geheim');
    await ask(here, '/api/services/echo', { method: 'DELETE', token: await root() });
    expect((await see('nobody')).status).toBe(404);
  });
});

describe('demand', () => {
  it('says what a service has to do', async () => {
    await put('wanted', {});
    expect(await documentIn(await ask(here, '/api/services/wanted/demand'))).toMatchObject({
      service: 'wanted',
      inFlight: 0,
      capacity: 0,
      waiting: 0,
    });
    expect((await ask(here, '/api/services/nobody/demand')).status).toBe(404);
  });
});

describe('the load balancer', () => {
  it('shows how calls are spread, and changes how', async () => {
    await put('spread', {});
    const body = { url: 'https://spread.example.net', services: [{ name: 'spread' }] };
    await ask(here, '/api/servers', { body, token: await tokenFor('farm', 'server') });
    const change = await ask(here, '/api/stats/load-balancer/algorithm', {
      body: { service: 'spread', algorithm: 'round-robin' },
      token: await root(),
    });
    expect(change.status).toBe(200);
    const { services } = await documentIn(await ask(here, '/api/stats/load-balancer', { token: await root() }));
    expect(services).toContainEqual({
      service: 'spread',
      algorithm: 'round-robin',
      servers: [{ id: expect.stringMatching(/^srv_/), url: 'https://spread.example.net', picked: 0, inFlight: 0 }],
    });
  });

  it('refuses what is no algorithm, and what is no service', async () => {
    const change = async (body: object) =>
      (await ask(here, '/api/stats/load-balancer/algorithm', { body, token: await root() })).status;
    expect(await change({ service: 'spread', algorithm: 'sorcery' })).toBe(400);
    expect(await change({ service: 'nobody', algorithm: 'random' })).toBe(404);
  });
});
