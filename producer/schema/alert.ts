/** Alerts as the API shows them, and what administrators set about them. */
import { z } from '@hono/zod-openapi';
import { AlertSettingsSchema } from '../alerts/settings.ts';
import { ALERT_KINDS } from './alert-kinds.ts';

const time = () => z.iso.datetime();

const AlertSchema = z
  .object({
    name: z.string().openapi({ description: 'The kind and what it is about; silences name it.' }),
    kind: z.enum(ALERT_KINDS),
    target: z.string().openapi({ description: 'The line, service, pool or store; empty where there is one.' }),
    phase: z.enum(['raising', 'firing', 'clearing']),
    since: time(),
    value: z.number(),
    threshold: z.number(),
    unit: z.string(),
    summary: z.string(),
    remedy: z.string(),
    silencedUntil: time().optional(),
  })
  .openapi('Alert');

const SettingsDocumentSchema = z
  .object({
    url: z.string().nullable(),
    thresholds: z.partialRecord(z.enum(ALERT_KINDS), z.number()),
    off: z.array(z.enum(ALERT_KINDS)),
    raiseAfterMinutes: z.number().int(),
    clearAfterMinutes: z.number().int(),
    silences: z.record(z.string(), time()),
    testedAt: time().optional(),
  })
  .openapi('AlertSettings');

const EXAMPLE = {
  name: 'failure-rate/ocr',
  kind: 'failure-rate',
  target: 'ocr',
  phase: 'firing',
  since: '2026-11-27T08:00:00.000Z',
  value: 34.5,
  threshold: 20,
  unit: 'percent of the tasks that ended',
  summary: '34.5% of the last 120 tasks of ocr failed or expired.',
  remedy: 'The page of the service groups them by error and says what helps.',
};

const SETTINGS_EXAMPLE = {
  url: 'https://hooks.example.com/tasklane',
  thresholds: { 'failure-rate': 10 },
  off: [],
  raiseAfterMinutes: 2,
  clearAfterMinutes: 5,
};

export const AlertsSchema = z
  .object({
    alerts: z.array(AlertSchema),
    settings: SettingsDocumentSchema,
    evaluatedAt: time().nullable().openapi({ description: 'Of the last round; null before the first.' }),
    unsent: z.number().int().openapi({ description: 'Messages that the receiver has not taken yet.' }),
  })
  .openapi('Alerts', {
    example: {
      alerts: [EXAMPLE],
      settings: { ...SETTINGS_EXAMPLE, silences: {} },
      evaluatedAt: '2026-11-27T08:10:00.000Z',
      unsent: 0,
    },
  });

export const AlertSettingsBodySchema = AlertSettingsSchema.openapi('AlertSettingsBody', { example: SETTINGS_EXAMPLE });

export const AlertSettingsAnswerSchema = SettingsDocumentSchema.extend({
  signingSecrets: z.array(z.string()).openapi({
    description: 'What the receiver verifies `webhook-signature` with (Standard Webhooks), the current one first.',
  }),
}).openapi('AlertSettingsAnswer', {
  example: { ...SETTINGS_EXAMPLE, silences: {}, signingSecrets: ['whsec_…'] },
});

export const SilenceBodySchema = z
  .strictObject({
    alert: z.string().min(1).max(400).default('*').openapi({ description: 'The name of an alert; all when absent.' }),
    until: z.iso
      .datetime({ offset: true, error: 'must be a time such as 2026-11-27T08:00:00Z' })
      .nullable()
      .openapi({ description: 'Until when nobody is told; null ends the silence.' }),
  })
  .openapi('Silence', { example: { alert: 'failure-rate/ocr', until: '2030-01-31T12:00:00Z' } });

export const AlertTestSchema = z
  .object({
    delivered: z.boolean(),
    status: z.number().int().optional(),
    why: z.string().optional().openapi({ description: 'Why it was not delivered.' }),
  })
  .openapi('AlertTest', { example: { delivered: true, status: 204 } });
