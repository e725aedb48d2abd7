import { env } from 'cloudflare:workers';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { evaluateAlerts } from '../../../producer/alerts/evaluate.ts';
import { runtimeOf } from '../../../producer/runtime.ts';
import { MisconfiguredError } from '../../../shared/env.ts';
import { hourOf } from '../../../shared/statistics/tally.ts';
import { noteDeadLetters } from '../../../shared/store/alerts.ts';
import { writeScanPosition } from '../../../shared/store/carrier.ts';
import { ask, documentIn, environment, tokenFor } from '../client.ts';

const MINUTE = 60_000;
const URL = 'http://hooks.test/tasklane?channel=ops';

const here = environment();
const sent: { readonly body: string; readonly headers: Record<string, string> }[] = [];
let status = 204;

beforeEach(async () => {
  await env.DB.prepare('DELETE FROM settings').run();
  await env.DB.prepare('DELETE FROM dead_letters').run();
  sent.length = 0;
  status = 204;
  vi.spyOn(console, 'warn').mockReturnValue(undefined);
  vi.spyOn(console, 'log').mockReturnValue(undefined);
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
    sent.push({ body: String(init?.body), headers: init?.headers as Record<string, string> });
    return new Response(null, { status });
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const admin = () => tokenFor('root', 'admin');
const put = async (path: string, body: object, method = 'PUT') =>
  ask(here, path, { method, body, token: await admin() });
const list = async () => documentIn(await ask(here, '/api/alerts', { token: await tokenFor('eve', 'viewer') }));

async function round(now: number): Promise<void> {
  const runtime = runtimeOf(here);
  if (runtime instanceof MisconfiguredError) throw runtime;
  await writeScanPosition(env.DB, 'swept', String(now));
  await evaluateAlerts(runtime, now);
}

describe('the minute’s round', () => {
  it('raises an alert, tells a receiver that can verify it, and says so when it is over', async () => {
    const settings = { url: URL, raiseAfterMinutes: 1, clearAfterMinutes: 0 };
    const { signingSecrets } = await documentIn(await put('/api/alerts/settings', settings));
    const start = Date.now();
    await noteDeadLetters(env.DB, 3, hourOf(start));
    await round(start);
    expect(await list()).toMatchObject({ alerts: [{ name: 'dead-letters', phase: 'raising', value: 3 }] });
    expect(sent).toEqual([]);
    await round(start + MINUTE);
    expect(await list()).toMatchObject({ alerts: [{ phase: 'firing', remedy: expect.any(String) }], unsent: 0 });
    const [message] = sent;
    const [secret = ''] = signingSecrets as string[];
    const verified = new Webhook(secret).verify(message?.body ?? '', message?.headers ?? {});
    // All of it: what a round keeps of an alert for itself is nothing to build on.
    expect(verified).toEqual({
      type: 'alert.firing',
      timestamp: expect.any(String),
      data: {
        name: 'dead-letters',
        kind: 'dead-letters',
        target: '',
        value: 3,
        unit: expect.stringContaining('messages'),
        summary: expect.any(String),
        remedy: expect.any(String),
        since: new Date(start).toISOString(),
        dashboard: 'http://tasklane.test/dashboard#/alerts',
      },
    });
    await env.DB.prepare('DELETE FROM dead_letters').run();
    await round(start + 2 * MINUTE);
    expect(sent.map(({ body }) => JSON.parse(body).type)).toEqual(['alert.firing', 'alert.resolved']);
    expect(await list()).toMatchObject({ alerts: [] });
  });

  it('keeps what its receiver did not take, and sends it again under the same id', async () => {
    await put('/api/alerts/settings', { url: URL, raiseAfterMinutes: 0 });
    const start = Date.now();
    await noteDeadLetters(env.DB, 1, hourOf(start));
    status = 500;
    await round(start);
    expect(await list()).toMatchObject({ unsent: 1 });
    status = 200;
    await round(start + MINUTE);
    expect(await list()).toMatchObject({ unsent: 0 });
    expect(sent).toHaveLength(2);
    expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('loses none of what many alerts that fire at once have to tell', async () => {
    await put('/api/alerts/settings', { url: URL });
    const start = Date.now();
    const alert = {
      name: 'failure-rate/ocr',
      kind: 'failure-rate',
      target: 'ocr',
      value: 50,
      summary: '',
      remedy: '',
      since: start,
    };
    const unsent = Array.from({ length: 200 }, (_, at) => ({
      id: `msg_${at}`,
      type: 'alert.firing',
      at: start,
      alert,
    }));
    const state = JSON.stringify({ alerts: [], unsent, watchedSince: start, evaluatedAt: start });
    await env.DB.prepare("INSERT INTO settings (name, value, version) VALUES ('alerts.state', ?1, 1)")
      .bind(state)
      .run();
    status = 500;
    await round(start + MINUTE);
    expect(await list()).toMatchObject({ unsent: 200 });
    status = 204;
    sent.length = 0;
    await round(start + 2 * MINUTE);
    expect(await list()).toMatchObject({ unsent: 200 - sent.length });
    expect(sent.length).toBeGreaterThan(0);
  });

  it('decides once, of two at the same time', async () => {
    await put('/api/alerts/settings', { url: URL, raiseAfterMinutes: 0 });
    const start = Date.now();
    await noteDeadLetters(env.DB, 1, hourOf(start));
    await Promise.all([round(start), round(start)]);
    expect(sent).toHaveLength(1);
  });

  it('tells nobody while it is silenced, and shows it all the same', async () => {
    await put('/api/alerts/settings', { url: URL, raiseAfterMinutes: 0 });
    const start = Date.now();
    const until = new Date(start + 5 * MINUTE).toISOString();
    expect((await put('/api/alerts/silence', { alert: 'dead-letters', until }, 'POST')).status).toBe(200);
    await noteDeadLetters(env.DB, 1, hourOf(start));
    await round(start);
    expect(await list()).toMatchObject({ alerts: [{ phase: 'firing', silencedUntil: until }] });
    expect(sent).toEqual([]);
    await put('/api/alerts/silence', { alert: 'dead-letters', until: null }, 'POST');
    await round(start + MINUTE);
    expect(sent).toHaveLength(1);
  });
});

describe('the receiver', () => {
  it('is tried by a test message, and why it failed is told', async () => {
    const test = async () => documentIn(await put('/api/alerts/test', {}, 'POST'));
    expect(await test()).toMatchObject({ status: 400 });
    await put('/api/alerts/settings', { url: URL });
    expect(await test()).toEqual({ delivered: true, status: 204 });
    expect(JSON.parse(sent[0]?.body ?? '')).toMatchObject({ type: 'alert.test' });
    expect(await list()).toMatchObject({ settings: { testedAt: expect.any(String) } });
    status = 410;
    expect(await test()).toEqual({ delivered: false, why: 'it answered 410' });
  });

  it.each([
    ['ftp://hooks.example.com', {}],
    ['http://tasklane.test/hook', {}],
    ['https://10.0.0.1/hook', { ALLOW_PRIVATE_TARGETS: 'false', SERVICES: {} }],
    ['http://hooks.example.com/hook', { ALLOW_PRIVATE_TARGETS: 'false', SERVICES: {} }],
  ])('cannot be %s', async (url, overrides) => {
    const body = { url };
    const answer = await ask(environment(overrides), '/api/alerts/settings', {
      method: 'PUT',
      body,
      token: await admin(),
    });
    expect([answer.status, (await documentIn(answer)).errors]).toMatchObject([400, [{ field: '/url' }]]);
  });

  it('and its secrets are shown to administrators alone', async () => {
    await put('/api/alerts/settings', { url: URL });
    expect(JSON.stringify(await list())).not.toContain('whsec_');
    const audit = await documentIn(await ask(here, '/api/audit', { token: await admin() }));
    expect(JSON.stringify(audit)).toContain('alerts.set');
    expect(JSON.stringify(audit)).not.toContain('whsec_');
  });
});
