import { describe, expect, it } from 'vitest';
import { wireBody } from '../../../shared/webhook/event.ts';
import { boundHook, HookSchema, hookService, hookUrlProblem, isHookService } from '../../../shared/webhook/hook.ts';

const URL = 'https://Hooks.Example.com:8443/a/b?task=7';

describe('the service of a hook', () => {
  it('is of its owner and address, whatever the query says', async () => {
    const service = await hookService(URL, 'alice');
    expect(service).toMatch(/^webhook:hooks\.example\.com:8443:[0-9a-f]{16}$/);
    expect(await hookService('https://hooks.example.com:8443/a/b', 'alice')).toBe(service);
    for (const other of [
      await hookService(URL, 'bob'),
      await hookService('https://hooks.example.com:8443/a/c', 'alice'),
      await hookService('http://hooks.example.com:8443/a/b', 'alice'),
    ]) {
      expect(other).not.toBe(service);
    }
  });

  it.each(['https://10.1.2.3/', 'https://[2001:db8::1]:8443/x', 'https://bücher.example/'])(
    'has a name that is told from those of services: %s',
    async (url) => expect(isHookService(await hookService(url, 'alice'))).toBe(true),
  );

  it.each(['webhook', 'webhook-mail', 'echo', 'webhook:x', 'webhook:example.com:zz'])('is not %s', (name) =>
    expect(isHookService(name)).toBe(false),
  );
});

describe('a hook', () => {
  it('is told of every end in the standard form, unless it says otherwise', async () => {
    const hook = HookSchema.parse({ url: URL });
    expect(await boundHook(hook, 'alice', 'https://tasks.example.com/api/task/')).toMatchObject({
      on: ['succeeded', 'failed', 'cancelled', 'expired'],
      format: 'standard',
      path: '/a/b?task=7',
      linkBase: 'https://tasks.example.com/api/task/',
    });
  });

  it.each([
    ['https://tasks.example.com/api/task', 'is the address of this deployment'],
    ['https://hooks.example.com/#', 'fragment'],
    ['https://a:b@hooks.example.com/', 'credentials'],
    ['http://hooks.example.com/', 'https'],
    ['https://192.168.0.1/', 'not a public address'],
    ['https://localhost/', 'private name'],
  ])('may not be %s', (url, why) => expect(hookUrlProblem(url, false, 'https://tasks.example.com')).toContain(why));

  it('may be a public address, with a query', () =>
    expect(hookUrlProblem(URL, false, 'https://tasks.example.com')).toBeUndefined());
});

describe('what a receiver gets', () => {
  const text = '{"type":"task.failed","timestamp":"2026-11-27T10:00:00.000Z","data":{"id":"tsk_1","attempts":1}}';

  it('is in the standard form what the database wrote, to the byte', () =>
    expect(wireBody('standard', text, 'tsk_1_w1', 'https://tasks.example.com')).toEqual({
      contentType: 'application/json',
      text,
    }));

  it('is an event in structured mode where CloudEvents are asked for', () => {
    const { contentType, text: wire } = wireBody('cloudevents', text, 'tsk_1_w1', 'https://tasks.example.com');
    expect(contentType).toBe('application/cloudevents+json; charset=utf-8');
    expect(JSON.parse(wire)).toEqual({
      specversion: '1.0',
      id: 'tsk_1_w1',
      source: 'https://tasks.example.com',
      type: 'task.failed',
      time: '2026-11-27T10:00:00.000Z',
      subject: 'tsk_1',
      datacontenttype: 'application/json',
      data: { id: 'tsk_1', attempts: 1 },
    });
  });
});
