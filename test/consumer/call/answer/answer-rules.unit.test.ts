import { describe, expect, it } from 'vitest';
import { meaningOf } from '../../../../consumer/call/answer/answer-rules.ts';
import { outcomeOfAnswer, outcomeWithKey } from '../../../../consumer/call/answer/outcome.ts';
import { AnswerRulesSchema } from '../../../../shared/task/answer-rule.ts';

const NOW = Date.UTC(2026, 10, 27);
const json = (text: string) => ({ type: 'application/json', encoding: 'json' as const, text });
const answer = (status: number, body?: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers: new Headers(headers),
  body: body === undefined ? undefined : json(JSON.stringify(body)),
});
const meaning = (rules: unknown[], said: ReturnType<typeof answer>) => meaningOf(AnswerRulesSchema.parse(rules), said);

const NOT_FOUND = answer(404, { error: { code: 'model_not_found' } });
const HIT = { header: { name: 'X-Cache', equals: 'HIT' } };

describe('a rule', () => {
  it.each([
    ['of its status', { status: 530 }, answer(530), true],
    ['of another status', { status: 530 }, answer(500), false],
    ['of its class of statuses', { status: '5xx' }, answer(503), true],
    ['of one of its statuses', { status: [404, '5xx'] }, answer(404), true],
    ['with its header', { header: { name: 'X-Cache' } }, answer(200, {}, { 'x-cache': 'miss' }), true],
    ["with its header's value", HIT, answer(200, {}, { 'x-cache': 'hit' }), true],
    ['with another value in its header', HIT, answer(200, {}, { 'x-cache': 'miss' }), false],
    ['in whose body the member is null', { body: { pointer: '/error' } }, answer(200, { error: null }), true],
    ['in whose body the member is absent', { body: { pointer: '/error' } }, answer(200, { ok: 1 }), false],
    ['whose body says it', { body: { pointer: '/error/code', equals: 'model_not_found' } }, NOT_FOUND, true],
    [
      'whose body contains it',
      { body: { pointer: '/a~1b/0/~0', contains: 'ill' } },
      answer(200, { 'a/b': [{ '~': 'ill' }] }),
      true,
    ],
    ['that only inherits the member', { body: { pointer: '/__proto__' } }, answer(200, {}), false],
    ['without a body', { body: { pointer: '' } }, answer(200), false],
    ['of which one condition holds', { status: 200, body: { pointer: '/error' } }, answer(500, { error: 1 }), false],
  ])('is for an answer %s', (_, rule, said, isFitting) => {
    expect(meaning([{ ...rule, meaning: 'fail' }], said)).toBe(isFitting ? 'fail' : undefined);
  });

  it('that stands first decides', () => {
    const rules = [
      { status: 404, meaning: 'retry' },
      { status: '4xx', meaning: 'succeed' },
    ];
    expect(meaning(rules, answer(404))).toBe('retry');
    expect(meaning(rules, answer(410))).toBe('succeed');
  });

  it.each([
    { meaning: 'fail' },
    { status: 42, meaning: 'fail' },
    { status: 200, meaning: 'explode' },
    { body: { pointer: 'x' }, meaning: 'fail' },
  ])('like %j is refused', (rule) => {
    expect(AnswerRulesSchema.safeParse([rule]).success).toBe(false);
  });
});

describe('the outcome', () => {
  it('is what the rule says, whatever the status would mean', () => {
    expect(outcomeOfAnswer(answer(200, { error: 'x' }), NOW, 'fail')).toMatchObject({
      kind: 'permanent',
      error: { class: 'http', httpStatus: 200 },
    });
    expect(outcomeOfAnswer(answer(404, { gone: true }), NOW, 'succeed')).toMatchObject({ kind: 'succeeded' });
    expect(outcomeOfAnswer(answer(404), NOW, 'retry')).toMatchObject({ kind: 'retryable' });
    const deferred = outcomeOfAnswer(answer(530, undefined, { 'retry-after': '7' }), NOW, 'defer');
    expect(deferred).toMatchObject({ kind: 'deferred', retryAfterMs: 7_000 });
    expect(outcomeOfAnswer(answer(403), NOW, 'key')).toMatchObject({ kind: 'permanent' });
  });

  it('is about the key when the rule or the provider says so, and no other rule does', () => {
    const refused = (httpStatus: number) => ({ kind: 'refused', httpStatus, about: 'key' }) as const;
    expect(outcomeWithKey(answer(200), refused(200), NOW, 'key')).toMatchObject({ reason: 'key-refused' });
    expect(outcomeWithKey(answer(403), refused(403), NOW)).toMatchObject({ reason: 'key-refused' });
    expect(outcomeWithKey(answer(403), refused(403), NOW, 'fail')).toMatchObject({ kind: 'permanent' });
  });

  it.each(['disable', 'abort-message', 'Abort-Message'])('of webhook-delivery: %s is final', (said) => {
    const refusing = answer(503, undefined, { 'webhook-delivery': said });
    expect(outcomeOfAnswer(refusing, NOW)).toMatchObject({ kind: 'permanent' });
  });
});
