/** What administrators set about alerts: where they are told, from when on something is wrong, and what is silenced. */
import { z } from '@hono/zod-openapi';
import { ALERT_KINDS } from '../schema/alert-kinds.ts';

const MAX_MINUTES = 1_440;
const MAX_SILENCES = 100;

export const AlertSettingsSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'is a web address' })
    .max(2_000)
    .nullable()
    .default(null),
  thresholds: z.partialRecord(z.enum(ALERT_KINDS), z.number().positive()).default({}),
  off: z.array(z.enum(ALERT_KINDS)).max(ALERT_KINDS.length).default([]),
  raiseAfterMinutes: z.number().int().min(0).max(MAX_MINUTES).default(2),
  clearAfterMinutes: z.number().int().min(0).max(MAX_MINUTES).default(5),
});

/** By the name of an alert, or `*` for all: until when nobody is told, Unix ms. */
const SilencesSchema = z.record(z.string(), z.number());

export const StoredAlertSettingsSchema = AlertSettingsSchema.extend({
  silences: SilencesSchema.default({}),
  /** When a test message was last delivered, Unix ms. */
  testedAt: z.number().optional(),
});

export type AlertSettings = z.output<typeof StoredAlertSettingsSchema>;

export const NO_SETTINGS: AlertSettings = StoredAlertSettingsSchema.parse({});

/** @param until Unix ms; undefined ends the silence */
export function withSilence(
  settings: AlertSettings,
  name: string,
  until: number | undefined,
  now: number,
): AlertSettings | undefined {
  const silences = Object.fromEntries(
    Object.entries(settings.silences).filter(([known, end]) => known !== name && end > now),
  );
  if (until !== undefined) silences[name] = until;
  return Object.keys(silences).length > MAX_SILENCES ? undefined : { ...settings, silences };
}

export function silencedUntil({ silences }: Pick<AlertSettings, 'silences'>, name: string, now: number) {
  const until = Math.max(silences[name] ?? 0, silences['*'] ?? 0);
  return until > now ? until : undefined;
}
