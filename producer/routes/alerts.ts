/** `/api/alerts`: what is wrong now, who is told of it, and keeping quiet for a while. */
import { createRoute } from '@hono/zod-openapi';
import { isoTime } from '../../shared/iso-time.ts';
import { alertDocument } from '../alerts/alert.ts';
import { alertSecrets, deliver, receiverProblem } from '../alerts/deliver.ts';
import { readAlertSettings, readAlertState, writeAlertSettings } from '../alerts/evaluate.ts';
import { type AlertSettings, withSilence } from '../alerts/settings.ts';
import { answerJson, refuse, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import type { Runtime } from '../runtime.ts';
import {
  AlertSettingsAnswerSchema,
  AlertSettingsBodySchema,
  AlertsSchema,
  AlertTestSchema,
  SilenceBodySchema,
} from '../schema/alert.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const shared = { tags: ['alerts'] };
const withBody = [readsJson(MAX_TASK_BODY_BYTES)];
const NOT_CERTAIN = 'The settings are not certain to be stored; repeat the request.';

const getRoute = createRoute({
  ...shared,
  method: 'get',
  path: '/api/alerts',
  operationId: 'listAlerts',
  summary: 'See what is wrong, and what helps',
  description: 'Looked at every minute.',
  responses: answers({ 200: jsonAnswer(AlertsSchema, 'Alerts, and their settings.') }),
});

const putRoute = createRoute({
  ...shared,
  method: 'put',
  path: '/api/alerts/settings',
  operationId: 'setAlerts',
  summary: 'Say where alerts go, and from when on something is wrong',
  description:
    'Replaces all settings but the silences. Messages are POSTed to `url` and signed as Standard Webhooks; the answer has ' +
    'the secret to verify them with.',
  middleware: withBody,
  request: { body: jsonBody(AlertSettingsBodySchema) },
  responses: answers({ 200: jsonAnswer(AlertSettingsAnswerSchema, 'As they are now.') }, ...BODY_PROBLEMS),
});

const testRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/alerts/test',
  operationId: 'testAlerts',
  summary: 'Send a test message to the receiver',
  responses: answers({ 200: jsonAnswer(AlertTestSchema, 'Whether it was delivered.') }, 'invalid-request'),
});

const silenceRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/api/alerts/silence',
  operationId: 'silenceAlerts',
  summary: 'Keep quiet until a time',
  description: 'The dashboard goes on showing the alert. One that still fires when the silence ends is told then.',
  middleware: withBody,
  request: { body: jsonBody(SilenceBodySchema) },
  responses: answers({ 200: jsonAnswer(AlertSettingsAnswerSchema, 'The settings.') }, ...BODY_PROBLEMS),
});

export function addAlerts(app: App): void {
  app.openapi(getRoute, async (c) => {
    const { control } = c.env.runtime.config.stores;
    const read = await callUpstream('database', () =>
      Promise.all([readAlertState(control), readAlertSettings(control)]),
    );
    if (read === UNAVAILABLE) return unavailable('The alerts cannot be read at the moment.');
    const [{ state }, { settings }] = read;
    const now = Date.now();
    return answerJson({
      alerts: (state?.alerts ?? []).map((alert) => alertDocument(alert, settings, now)),
      settings: settingsDocument(settings),
      evaluatedAt: state === undefined ? null : isoTime(state.evaluatedAt),
      unsent: state?.unsent.length ?? 0,
    });
  });

  app.openapi(putRoute, async (c) => {
    const { runtime } = c.env;
    const body = c.req.valid('json');
    const problem = body.url === null ? undefined : receiverProblem(body.url, runtime.config);
    if (problem !== undefined) {
      return refuse('invalid-request', { detail: `/url: ${problem}`, errors: [{ field: '/url', reason: problem }] });
    }
    const { settings, answer } = await change(runtime, (known) => ({
      ...known,
      ...body,
      // Another receiver has not been tried.
      ...(body.url !== known.url && { testedAt: undefined }),
    }));
    if (settings !== undefined) c.set('change', { after: settingsDocument(settings) });
    return answer;
  });

  app.openapi(testRoute, async (c) => {
    const { runtime } = c.env;
    const { control } = runtime.config.stores;
    const read = await callUpstream('database', () => readAlertSettings(control));
    if (read === UNAVAILABLE) return unavailable('The settings cannot be read at the moment.');
    const { url } = read.settings;
    if (url === null) {
      return refuse('invalid-request', {
        detail: 'No receiver is set: PUT /api/alerts/settings { "url": "https://…" }.',
      });
    }
    const now = Date.now();
    const delivery = await deliver(runtime.config, url, {
      id: `msg_${crypto.randomUUID()}`,
      type: 'alert.test',
      at: now,
      alert: { ...TEST_ALERT, since: now },
    });
    c.set('change', { after: delivery });
    if (!delivery.ok) return answerJson({ delivered: false, why: delivery.why });
    await change(runtime, (known) => ({ ...known, ...(known.url === url && { testedAt: now }) }));
    return answerJson({ delivered: true, status: delivery.status });
  });

  app.openapi(silenceRoute, async (c) => {
    const { alert, until } = c.req.valid('json');
    const now = Date.now();
    const end = until === null ? undefined : Date.parse(until);
    if (end !== undefined && end <= now) {
      const reason = 'is in the past; null ends a silence';
      return refuse('invalid-request', { detail: `/until: ${reason}`, errors: [{ field: '/until', reason }] });
    }
    const { answer } = await change(c.env.runtime, (known) => withSilence(known, alert, end, now));
    c.set('change', { after: { alert, until } });
    return answer;
  });
}

const TEST_ALERT = {
  name: 'test',
  kind: 'part-away',
  target: '',
  value: 0,
  summary: 'A test: alerts of this deployment come here.',
  remedy: 'Nothing is wrong.',
} as const;

/** @param to undefined refuses: there are too many silences */
async function change(
  { config }: Runtime,
  to: (known: AlertSettings) => AlertSettings | undefined,
): Promise<{ readonly settings?: AlertSettings; readonly answer: Response }> {
  const { control } = config.stores;
  const changed = await callUpstream('database', async () => {
    const { settings, read } = await readAlertSettings(control);
    const next = to(settings);
    if (next === undefined) return 'too-many' as const;
    return (await writeAlertSettings(control, next, read)) ? next : undefined;
  });
  if (changed === 'too-many') {
    const reason = 'there are too many silences; end some, or silence all alerts';
    return { answer: refuse('invalid-request', { detail: reason, errors: [{ field: '/alert', reason }] }) };
  }
  if (changed === UNAVAILABLE || changed === undefined) return { answer: unavailable(NOT_CERTAIN) };
  const signingSecrets = await alertSecrets(config);
  return { settings: changed, answer: answerJson({ ...settingsDocument(changed), signingSecrets }) };
}

function settingsDocument({ silences, testedAt, ...settings }: AlertSettings) {
  return {
    ...settings,
    silences: Object.fromEntries(Object.entries(silences).map(([name, until]) => [name, isoTime(until)])),
    ...(testedAt !== undefined && { testedAt: isoTime(testedAt) }),
  };
}
