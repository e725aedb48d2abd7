/** JSON goes to the backend as it was sent, and comes back as the backend wrote it. */
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { ask, callbackStub, documentIn, environment, idFor, queueStub } from '../client.ts';

const DEEP = 10_000;

const SPELLINGS = [
  '1e400',
  '9007199254740993',
  '1.0',
  '-0',
  '{"b":1,"a":[1.0,2]}',
  '{"a":1,"a":2}',
  '{ "a" :\t[ 1 ,2 ] }',
  String.raw`"\u0061\/😀\ud83d"`,
  '{"__proto__":{"constructor":1}}',
  'null',
];

async function submitted(body: string, path = '/api/task'): Promise<string[]> {
  const queue = queueStub();
  const here = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });
  const answer = await ask(here, path, { body });
  expect(answer.status).toBe(202);
  return queue.sent.map(({ task }) => task.request.body?.text ?? '');
}

describe('a payload', () => {
  it.each(SPELLINGS)('%s travels byte for byte', async (spelling) => {
    expect(await submitted(`{"payload": ${spelling} ,"service":"echo"}`)).toEqual([spelling]);
  });

  it('travels byte for byte from a batch, each its own', async () => {
    const tasks = SPELLINGS.map((spelling) => `{"service":"echo","payload":${spelling}}`).join(' ,');
    expect(await submitted(`{"tasks":[ ${tasks}]}`, '/api/tasks/batch')).toEqual(SPELLINGS);
  });

  it('that JSON does not know is refused with its place', async () => {
    const answer = await ask(environment(), '/api/task', { body: '{"service":"echo",\n"payload":NaN}' });
    expect(answer.status).toBe(400);
    expect((await documentIn(answer)).detail).toContain('NaN, which JSON does not know, at line 2, column 11');
  });
});

describe('a result', () => {
  it.each(SPELLINGS)('%s is reported byte for byte', async (spelling) => {
    const CALLBACK = callbackStub({ ok: true, status: 'succeeded', changed: true });
    const body = `{"status":"succeeded","result":${spelling}}`;
    await ask(environment({ CALLBACK }), `/api/task/${await idFor('alice')}`, { method: 'PUT', body, token: 'token' });
    expect(CALLBACK.asked).toMatchObject([{ report: { result: { encoding: 'json', text: spelling } } }]);
  });

  it.each([...SPELLINGS, '['.repeat(DEEP) + ']'.repeat(DEEP)])('%.40s is shown byte for byte', async (spelling) => {
    const id = await idFor('alice');
    await env.TASK_DB_0.prepare(
      `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at,
         finished_at, result_type, result_encoding, result)
       VALUES (?1, 'alice', 'echo', 'succeeded', 1, 0, 0, 0, 1, 'application/json', 'json', ?2)`,
    )
      .bind(id, spelling)
      .run();
    const here = environment();
    for (const _ of ['from the row', 'from memory']) {
      const answer = await ask(here, `/api/task/${id}`);
      expect(answer.status).toBe(200);
      const text = await answer.text();
      expect(text.endsWith(`,"result":${spelling}}`)).toBe(true);
      expect(JSON.parse(text)).toMatchObject({ id, status: 'succeeded', resultContentType: 'application/json' });
    }
  });
});

describe('a name that objects would lose', () => {
  it.each([
    ['/labels/__proto__', '{"service":"echo","labels":{"__proto__":"x"}}'],
    ['/headers/__proto__', '{"service":"echo","headers":{"\\u005f_proto__":"x"}}'],
    ['/requires/capabilities/__proto__', '{"service":"echo","requires":{"capabilities":{"__proto__":true}}}'],
  ])('%s is refused, not dropped', async (field, body) => {
    const answer = await ask(environment(), '/api/task', { body });
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field }] });
  });
});
