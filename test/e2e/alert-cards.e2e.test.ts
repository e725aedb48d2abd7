/** Alerts of each kind as a person sees them: what is measured of a deployment where everything is wrong, on the page. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { alertTitle, quantity } from '../../dashboard/words.ts';
import { alertDocument, stepAlerts } from '../../producer/alerts/alert.ts';
import { measure } from '../../producer/alerts/measure.ts';
import { NO_SETTINGS } from '../../producer/alerts/settings.ts';
import { ALERT_KINDS } from '../../producer/schema/alert-kinds.ts';
import { signToken } from '../../shared/auth/token.ts';
import { allWrong } from '../producer/alerts/all-wrong.ts';
import { goTo, keepPicture, launchBrowser, openPageIn, SIZES, signInTo, violationsOn } from './browser.ts';
import { Client, type Pipeline, SECRETS, startPipeline } from './pipeline.ts';

let pipeline: Pipeline;
let browser: Browser;
beforeAll(async () => {
  pipeline = await startPipeline();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await pipeline?.[Symbol.asyncDispose]();
});

it('shows each kind of alert with what helps, and the way there', async () => {
  const token = await signToken({ sub: 'root', role: 'admin' }, SECRETS.JWT_SECRET, 600);
  const now = Date.now();
  const settings = { ...NO_SETTINGS, raiseAfterMinutes: 0 };
  const { alerts } = stepAlerts([], measure(allWrong(now), now), settings, now);
  const shown = alerts.map((alert) => alertDocument(alert, settings, now));
  const inWords = (text: string) => text.replaceAll('`', '');
  expect(new Set(shown.map(({ kind }) => kind))).toEqual(new Set(ALERT_KINDS));
  const { body } = await (await Client.as(pipeline.run.url, 'root', 'admin')).call('GET', '/api/alerts');
  const found: string[] = [];
  for (const [size, theme] of [
    ['desktop', 'light'],
    ['phone', 'dark'],
  ] as const) {
    await using page = await openPageIn(browser, { viewport: SIZES[size], colorScheme: theme, locale: 'en-GB' });
    await page.route('**/api/alerts', (route) => route.fulfill({ json: { ...body, alerts: shown } }));
    await signInTo(page, pipeline.run.url, token);
    await goTo(page, '#/alerts', 'Alerts');
    for (const { kind, target, remedy, value, unit } of shown) {
      const title = page.getByRole('heading', { name: alertTitle(kind, target), exact: true });
      const card = page.locator('section').filter({ has: title });
      await card.getByText(inWords(remedy)).first().waitFor();
      await card.getByText(quantity(value, unit)).first().waitFor();
      await card.getByRole('button', { name: 'Silence for 8 h' }).waitFor();
    }
    const links = await page
      .locator('section .ways a')
      .evaluateAll((all) => all.map((each) => each.getAttribute('href')));
    for (const place of ['#/keys', '#/stores', '#/service/ocr', '#/service/llm', '#/redrive?act=redrive&service=ocr']) {
      expect(links).toContain(place);
    }
    await keepPicture(page, `dashboard-alerts-of-each-kind-${size}-${theme}`, true);
    found.push(...(await violationsOn(page)));
    if (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) found.push(`wider than a ${size}`);
    await goTo(page, '#/overview', 'Overview');
    for (const { remedy } of shown) await page.getByText(inWords(remedy)).first().waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  }
  expect(found).toEqual([]);
});
