import { expect, it } from 'vitest';
import { tokenForBackend } from '../../../shared/key/report-token.ts';
import type { KeyRpc, ReportToRedact } from '../../../shared/key/rpc.ts';
import { ask, callbackStub, catchFailureLog, environment, idFor } from '../client.ts';

catchFailureLog();

const TOKEN = `1.${'ab'.repeat(24)}`;

/** A shard that holds `keys`, each its own value. */
function shard(...keys: string[]): Pick<KeyRpc, 'redactReport'> & { asked: ReportToRedact[] } {
  const asked: ReportToRedact[] = [];
  return {
    asked,
    redactReport: async (report) => {
      asked.push(report);
      const clean = (text: string) => keys.reduce((left, key) => left.replaceAll(`secret-${key}`, '[redacted]'), text);
      return {
        hasKey: report.key === undefined || keys.includes(report.key),
        ...(report.result && { result: { ...report.result, text: clean(report.result.text) } }),
        ...(report.message !== undefined && { message: clean(report.message) }),
      };
    },
  };
}

async function report(bindings: Record<string, unknown>, token: string, body: object) {
  const callback = callbackStub({ ok: true, status: 'succeeded', changed: true });
  const here = environment({ CALLBACK: callback, ...bindings });
  const answer = await ask(here, `/api/task/${await idFor('alice')}`, { method: 'PUT', token, body });
  return { status: answer.status, stored: callback.asked };
}

it("what a backend reports is looked through by the shard that made the call, and the run's own token goes on", async () => {
  const [zero, one] = [shard('1'), shard('3')];
  const bindings = { CONSUMER_0: zero, CONSUMER_1: one };
  const token = tokenForBackend(TOKEN, { shard: 1, service: 'ocr', key: '3' });
  for (const body of [
    { status: 'succeeded', result: { echo: 'a secret-3' } },
    { status: 'failed', error: { message: `${'x'.repeat(490)} secret-3` } },
    { status: 'running', progress: { percent: 5, message: 'secret-3' } },
  ]) {
    const { status, stored } = await report(bindings, token, body);
    expect(status).toBe(200);
    expect(JSON.stringify(stored)).toContain('[redacted]');
    expect(JSON.stringify(stored)).not.toContain('secret-3');
    expect(stored).toMatchObject([{ token: TOKEN }]);
  }
  expect([zero.asked.length, one.asked.length]).toEqual([0, 3]);
  expect(one.asked[0]).toMatchObject({ service: 'ocr', key: '3', token: TOKEN });
});

it('a key that a deploy has moved is found on another shard', async () => {
  const bindings = { CONSUMER_0: shard('1'), CONSUMER_1: shard('3') };
  const token = tokenForBackend(TOKEN, { shard: 0, service: 'ocr', key: '3' });
  const { stored } = await report(bindings, token, { status: 'succeeded', result: 'secret-3' });
  expect(JSON.stringify(stored)).not.toContain('secret-3');
});

it('a report that nobody can look through is not taken, and may be repeated', async () => {
  const gone = { redactReport: () => Promise.reject(new Error('gone')) };
  const token = tokenForBackend(TOKEN, { shard: 0, service: 'ocr', key: '3' });
  const { status, stored } = await report({ CONSUMER_0: gone }, token, { status: 'succeeded', result: 'secret-3' });
  expect([status, stored]).toEqual([503, []]);
});

it('a report on a call without secrets, or without a text, asks no shard', async () => {
  const zero = shard('1');
  await report({ CONSUMER_0: zero }, TOKEN, { status: 'succeeded', result: 'plain' });
  await report({ CONSUMER_0: zero }, tokenForBackend(TOKEN, { shard: 0, service: 'ocr' }), { status: 'succeeded' });
  expect(zero.asked).toEqual([]);
});

it('a result that is packed is not taken where a secret was sent, for nobody can look into it', async () => {
  const zero = shard('3');
  const token = tokenForBackend(TOKEN, { shard: 0, service: 'ocr', key: '3' });
  const gzip = btoa(String.fromCharCode(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3));
  for (const resultContentType of ['text/plain', 'application/json']) {
    const body = { status: 'succeeded', resultBase64: gzip, resultContentType };
    expect(await report({ CONSUMER_0: zero }, token, body)).toEqual({ status: 400, stored: [] });
    expect((await report({ CONSUMER_0: zero }, TOKEN, body)).status).toBe(200);
  }
  const file = { status: 'succeeded', resultBase64: gzip, resultContentType: 'application/gzip' };
  expect((await report({ CONSUMER_0: zero }, token, file)).status).toBe(200);
  const answer = await ask(environment({ CONSUMER_0: zero }), `/api/task/${await idFor('alice')}/result`, {
    method: 'PUT',
    token,
    body: 'packed',
    headers: { 'content-type': 'text/plain', 'content-encoding': 'gzip' },
  });
  expect(answer.status).toBe(415);
});
