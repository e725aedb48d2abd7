/**
 * The minute's round of the alerts: looks, decides, keeps, tells.
 *
 * What is decided is written before anybody is told, by whoever read the version before: of two rounds at the
 * same time one decides. A message stays among the unsent until its receiver took it or a day is over, so it
 * comes at least once.
 */
import { logInfo, logWarning } from '../../shared/log.ts';
import { readSetting, type Setting, writeSetting } from '../../shared/store/settings.ts';
import type { Runtime } from '../runtime.ts';
import { type Alert, MAX_ALERTS, stepAlerts } from './alert.ts';
import { type AlertMessage, deliver } from './deliver.ts';
import { measure } from './measure.ts';
import { observe } from './observe.ts';
import { type AlertSettings, NO_SETTINGS, StoredAlertSettingsSchema } from './settings.ts';

const STATE_NAME = 'alerts.state';
const SETTINGS_NAME = 'alerts.settings';

/** That each fires and ends is told, however many do so at once. */
const MAX_UNSENT = 2 * MAX_ALERTS;
const UNSENT_LIFE_MS = 86_400_000;
/** More wait for the next round. */
const SENDS_A_ROUND = 6;

export interface AlertState {
  readonly alerts: readonly Alert[];
  readonly unsent: readonly AlertMessage[];
  /** Of the first round ever, Unix ms. */
  readonly watchedSince: number;
  /** Of the last round. */
  readonly evaluatedAt: number;
}

export async function readAlertState(
  control: D1Database,
): Promise<{ state: AlertState | undefined; read: Setting | undefined }> {
  const read = await readSetting(control, STATE_NAME);
  return { state: read === undefined ? undefined : (JSON.parse(read.value) as AlertState), read };
}

export async function readAlertSettings(
  control: D1Database,
): Promise<{ settings: AlertSettings; read: Setting | undefined }> {
  const read = await readSetting(control, SETTINGS_NAME);
  const parsed = read === undefined ? undefined : StoredAlertSettingsSchema.safeParse(JSON.parse(read.value));
  return { settings: parsed?.data ?? NO_SETTINGS, read };
}

export function writeAlertSettings(
  control: D1Database,
  settings: AlertSettings,
  read: Setting | undefined,
): Promise<boolean> {
  return writeSetting(control, SETTINGS_NAME, JSON.stringify(settings), read);
}

export async function evaluateAlerts(runtime: Runtime, now: number): Promise<void> {
  const { control } = runtime.config.stores;
  const [{ state, read }, { settings }] = await Promise.all([readAlertState(control), readAlertSettings(control)]);
  const watchedSince = state?.watchedSince ?? now;
  const measured = measure(await observe(runtime, watchedSince, now), now);
  const { alerts, news } = stepAlerts(state?.alerts ?? [], measured, settings, now);
  for (const { type, alert } of news)
    logWarning(type, { alert: alert.name, value: alert.value, summary: alert.summary });
  const said = news.map(
    ({ type, alert }): AlertMessage => ({ id: `msg_${crypto.randomUUID()}`, type, at: now, alert }),
  );
  const kept = (state?.unsent ?? []).filter(({ at }) => now - at < UNSENT_LIFE_MS);
  // Nobody asked to be told: the dashboard and the log have it.
  const unsent = settings.url === null ? [] : [...kept, ...said].slice(-MAX_UNSENT);
  const decided: AlertState = { alerts, unsent, watchedSince, evaluatedAt: now };
  if (!(await writeSetting(control, STATE_NAME, JSON.stringify(decided), read))) return;
  if (settings.url === null || unsent.length === 0) return;
  const delivered = await sendAll(runtime, settings.url, unsent.slice(0, SENDS_A_ROUND));
  if (delivered.size === 0) return;
  const left = { ...decided, unsent: unsent.filter(({ id }) => !delivered.has(id)) };
  const version = (read?.version ?? 0) + 1;
  await writeSetting(control, STATE_NAME, JSON.stringify(left), { value: '', version });
}

/** @returns the ids of what was taken */
async function sendAll({ config }: Runtime, url: string, messages: readonly AlertMessage[]): Promise<Set<string>> {
  const delivered = new Set<string>();
  for (const message of messages) {
    const delivery = await deliver(config, url, message);
    if (delivery.ok) delivered.add(message.id);
    else logWarning('alert.untold', { message: message.id, alert: message.alert.name, why: delivery.why });
  }
  if (delivered.size > 0) logInfo('alert.told', { messages: delivered.size });
  return delivered;
}
