import { describe, expect, it } from 'vitest';
import { reportOf } from '../../../producer/reports/report.ts';
import { TaskReportSchema } from '../../../producer/schema/report.ts';
import { MAX_INLINE_BYTES } from '../../../shared/task/content.ts';

const read = (body: unknown) => reportOf(TaskReportSchema.parse(body));

describe("a backend's report", () => {
  it('carries a JSON result', () => {
    expect(read({ status: 'succeeded', result: { a: 1 } })).toEqual({
      ok: true,
      report: { status: 'succeeded', result: { type: 'application/json', encoding: 'json', text: '{"a":1}' } },
    });
  });

  it('carries no result when there is none', () => {
    expect(read({ status: 'succeeded' })).toEqual({ ok: true, report: { status: 'succeeded' } });
  });

  it('carries bytes under their media type', () => {
    const body = { status: 'succeeded', resultBase64: 'AAE=', resultContentType: 'image/png' };
    expect(read(body)).toMatchObject({ report: { result: { type: 'image/png', encoding: 'base64', text: 'AAE=' } } });
  });

  it('refuses a result above the inline limit, saying both sizes', () => {
    const answer = read({ status: 'succeeded', result: 'x'.repeat(MAX_INLINE_BYTES) });
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'body-too-large' } });
    expect(JSON.stringify(answer)).toMatch(new RegExp(`${MAX_INLINE_BYTES + 2}.*${MAX_INLINE_BYTES}`));
  });

  it('means a failure to be retried unless it says otherwise', () => {
    expect(read({ status: 'failed', error: { message: 'no' } })).toMatchObject({ report: { retryable: true } });
    expect(read({ status: 'failed', error: { message: 'no' }, retryable: false })).toMatchObject({
      report: { message: 'no', retryable: false },
    });
  });

  it.each([
    [{ progress: 40 }, { percent: 40 }],
    [{ progress: { percent: 40, message: 'half' } }, { percent: 40, message: 'half' }],
    [
      { progress: 40, message: 'half' },
      { percent: 40, message: 'half' },
    ],
    [{ message: 'half' }, { message: 'half' }],
    [{}, {}],
  ])('reads progress in the form %j', (body, progress) => {
    expect(read({ status: 'running', ...body })).toEqual({ ok: true, report: { status: 'running', ...progress } });
  });

  it.each([
    { status: 'done' },
    { status: 'failed' },
    { status: 'running', progress: 101 },
    { status: 'succeeded', reslut: 1 },
  ])('refuses %j', (body) => {
    expect(TaskReportSchema.safeParse(body).success).toBe(false);
  });
});
