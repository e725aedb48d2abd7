import { describe, expect, it } from 'vitest';
import { invalidRequest } from '../../../producer/answer/field-errors.ts';
import { TaskSubmissionSchema } from '../../../producer/schema/submission.ts';
import { draftTask, taskOf, wayOf } from '../../../producer/submission/submission.ts';
import { MAX_REST_BYTES, mayBeLong, restBytes } from '../../../producer/submission/task-size.ts';
import { newTaskMessage } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { base64FromBytes, MAX_INLINE_BYTES } from '../../../shared/task/content.ts';

const services = servicesSchema(true).parse({
  echo: { baseUrl: 'http://backend.test', retry: { maxAttempts: 3 }, deadlineSeconds: 60, headers: { 'X-Key': 'v' } },
  reader: { baseUrl: 'http://backend.test', method: 'GET' },
});

const NOW = 1_000;

const draft = (body: object) => draftTask(services, TaskSubmissionSchema.parse({ service: 'echo', ...body }), NOW);

function faultOf(body: object): { field: string; reason: string } | undefined {
  const checked = TaskSubmissionSchema.safeParse({ service: 'echo', ...body });
  if (!checked.success) return invalidRequest(checked.error.issues, 'body').errors?.[0];
  const drafted = draftTask(services, checked.data, NOW);
  return drafted.ok ? undefined : drafted.refusal.details.errors?.[0];
}

describe('a submission', () => {
  it("takes the service's settings where it has none of its own", () => {
    expect(draft({})).toMatchObject({
      draft: {
        policy: { maxAttempts: 3, baseSeconds: 2, capSeconds: 3600 },
        timing: { deadlineSeconds: 60 },
        request: {},
      },
    });
    expect(draft({ retry: { baseSeconds: 5 }, deadlineSeconds: 10 })).toMatchObject({
      draft: { policy: { maxAttempts: 3, baseSeconds: 5, capSeconds: 3600 }, timing: { deadlineSeconds: 10 } },
    });
  });

  it('becomes a task with a deadline in whole milliseconds', () => {
    const drafted = draft({ deadlineSeconds: 0.0015 });
    if (!drafted.ok) throw new Error('not drafted');
    expect(taskOf(drafted.draft, 'tsk_x', 'alice', 1000)).toMatchObject({
      id: 'tsk_x',
      subject: 'alice',
      deadlineAt: 1002,
    });
  });

  it.each([
    ['JSON', { payload: { a: 1 } }, { type: 'application/json', encoding: 'json', text: '{"a":1}' }],
    ['null', { payload: null }, { type: 'application/json', encoding: 'json', text: 'null' }],
    ['a JSON string', { payload: 'x' }, { type: 'application/json', encoding: 'json', text: '"x"' }],
    ['text', { payload: 'x', contentType: 'text/plain' }, { type: 'text/plain', encoding: 'text', text: 'x' }],
    ['bytes', { payloadBase64: 'AAE=' }, { type: 'application/octet-stream', encoding: 'base64', text: 'AAE=' }],
  ])('carries %s', (_, body, content) => {
    expect(draft(body)).toMatchObject({ draft: { request: { body: content } } });
  });

  it.each([
    ['a field with a wrong name', { paylod: 1 }, '/paylod', /not known/],
    ['a wrong name deeper down', { retry: { attempts: 1 } }, '/retry/attempts', /not known/],
    ['both payloads', { payload: 1, payloadBase64: 'AAE=' }, '/payloadBase64', /one of them/],
    ['an object as text', { payload: {}, contentType: 'text/plain' }, '/payload', /must be a string/],
    ['broken base64', { payloadBase64: 'AA' }, '/payloadBase64', /base64/],
    ['a reserved header', { headers: { 'Task-Id': 'x' } }, '/headers/Task-Id', /set by Tasklane/],
    ['credentials', { headers: { Authorization: 'x' } }, '/headers/Authorization', /service/],
    ['a header of the service', { headers: { 'x-key': 'x' } }, '/headers/x-key', /set by the service/],
    ['a header with a line break', { headers: { a: 'b\r\nc: d' } }, '/headers/a', /printable/],
    ['a path that climbs', { path: '/a/%2e%2E/b' }, '/path', /dot segments/],
    ['a path that climbs by encoded slashes', { path: '/a/..%2Fb' }, '/path', /dot segments/],
    ['another host as path', { path: '//evil.test/' }, '/path', /one slash/],
    ['nine labels', { labels: Object.fromEntries([...'abcdefghi'].map((name) => [name, ''])) }, '/labels', /8/],
    ['a label with a control character', { labels: { a: '\u0000' } }, '/labels/a', /control/],
    ['too many attempts', { retry: { maxAttempts: 101 } }, '/retry/maxAttempts', /at most 100/],
    ['an endless deadline', { deadlineSeconds: 1e9 }, '/deadlineSeconds', /at most 604800/],
    ['a service with a strange name', { service: '../x' }, '/service', /lower-case/],
    ['no service', { service: undefined }, '/service', /missing/],
    ['a body for a GET', { service: 'reader', payload: 1 }, '/payload', /GET/],
  ])('is refused with %s', (_, body, field, reason) => {
    expect(faultOf(body)).toEqual({ field, reason: expect.stringMatching(reason) });
  });

  it('names the services that exist when it asks for another, and never one of JavaScript', () => {
    const refused = draft({ service: 'constructor' });
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'unknown-service' } });
    expect(JSON.stringify(refused)).toContain('Configured: echo, reader.');
  });

  it.each([
    [{ payload: 'x'.repeat(MAX_INLINE_BYTES - 1) }, MAX_INLINE_BYTES + 1],
    [{ payload: 'ä'.repeat(MAX_INLINE_BYTES), contentType: 'text/plain' }, MAX_INLINE_BYTES * 2],
    [{ payloadBase64: base64FromBytes(new Uint8Array(MAX_INLINE_BYTES + 5)) }, MAX_INLINE_BYTES + 5],
  ])('is refused above the inline limit', (body, bytes) => {
    const refused = draft(body);
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'body-too-large' } });
    expect(JSON.stringify(refused)).toContain(`${bytes} bytes`);
  });

  it('needs no count without the fields that may be long: the longest of the others is far below the limit', () => {
    const drafted = draftTask(
      services,
      TaskSubmissionSchema.parse({
        service: 'echo',
        method: 'POST',
        path: `/${'x'.repeat(7_999)}`,
        ref: '一'.repeat(255),
        group: 'x'.repeat(128),
        flow: { key: 'x'.repeat(64), concurrency: 1, rate: 1, periodSeconds: 1 },
        contentType: `text/${'x'.repeat(250)}`,
        payload: '',
        timeoutSeconds: 1.5,
        runAt: '2026-12-24T18:00:00+01:00',
        fallbackOn: ['timeout'],
      }),
      NOW,
      { way: { hops: 3, traceparent: 'x'.repeat(55), tracestate: '"'.repeat(512) } },
    );
    if (!drafted.ok) throw new Error('not drafted');
    expect(mayBeLong(drafted.draft)).toBe(false);
    expect(restBytes(drafted.draft)).toBeLessThan(MAX_REST_BYTES / 2);
  });

  it('fits into a message with the largest body and all else that it may say, and is refused with more', () => {
    const wide = '一'.repeat(255);
    const named = (length: number, count: number, value: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`x${'x'.repeat(length - 2)}${at}`, value]));
    const said = {
      payloadBase64: base64FromBytes(new Uint8Array(MAX_INLINE_BYTES)),
      path: `/${'x'.repeat(7_999)}`,
      headers: named(10, 8, '"'.repeat(500)),
      labels: named(63, 8, wide),
      ref: wide,
      affinityKey: wide,
      requires: { capabilities: named(63, 8, wide) },
      onComplete: { url: `https://hooks.example.com/${'x'.repeat(1_900)}` },
    };
    const traced = new Headers({
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      tracestate: `a=${'"'.repeat(510)}`,
    });
    const bytesWith = (rules: number): number | undefined => {
      const answers = Array.from({ length: rules }, () => ({
        body: { pointer: '/a', contains: '\u0001'.repeat(100) },
        meaning: 'fail' as const,
      }));
      const submission = TaskSubmissionSchema.parse({ service: 'echo', ...said, ...(rules > 0 && { answers }) });
      const drafted = draftTask(services, submission, NOW, { way: wayOf(traced) });
      if (!drafted.ok) {
        expect(drafted.refusal.code).toBe('body-too-large');
        return undefined;
      }
      const { hook } = drafted.draft;
      const path = hook === undefined ? '' : new URL(hook.url).pathname;
      const bound = { service: `webhook:${'x'.repeat(260)}:${'0'.repeat(16)}`, path, linkBase: 'x'.repeat(200) };
      const draft = { ...drafted.draft, ...(hook !== undefined && { onComplete: { ...hook, ...bound } }) };
      const task = taskOf(draft, `tsk_${'0'.repeat(32)}`, wide, NOW);
      return new TextEncoder().encode(JSON.stringify(newTaskMessage(task))).byteLength;
    };
    const sizes = Array.from({ length: 21 }, (_, rules) => bytesWith(rules));
    expect(sizes[0]).toBeGreaterThan(115_000);
    expect(Math.max(...sizes.map((bytes = 0) => bytes))).toBeLessThan(127_900);
    expect(sizes.at(-1)).toBeUndefined();
  });

  it('may use the inline limit to the last byte', () => {
    expect(draft({ payload: 'x'.repeat(MAX_INLINE_BYTES - 2) }).ok).toBe(true);
    expect(draft({ payload: 'x'.repeat(MAX_INLINE_BYTES), contentType: 'text/plain' }).ok).toBe(true);
  });

  it('keeps names that JavaScript treats specially as plain data', () => {
    const payload = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
    const drafted = draft({ payload });
    expect(drafted).toMatchObject({ ok: true });
    expect(JSON.stringify(drafted)).toContain('__proto__');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
