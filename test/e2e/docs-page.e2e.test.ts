/** `/docs` in a real browser: a reader authorizes, sends a request and sees the answer; nothing comes from elsewhere. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signToken } from '../../shared/auth/token.ts';
import { keepPicture, launchBrowser, openPageIn } from './browser.ts';
import { type Pipeline, SECRETS, startPipeline } from './pipeline.ts';

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

it('lets a reader authorize and submit a task', async () => {
  const page = await openPageIn(browser, { viewport: { width: 1200, height: 1400 } });
  const elsewhere: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(pipeline.run.url) && !request.url().startsWith('data:'))
      elsewhere.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });

  await page.goto(`${pipeline.run.url}/docs`);
  await page.waitForSelector('.opblock-post');
  await keepPicture(page, 'docs');

  await page.click('button.authorize');
  const token = await signToken({ sub: 'reader', role: 'client' }, SECRETS.JWT_SECRET, 600);
  await page.fill('.auth-container input >> nth=0', token);
  await page.click('.auth-btn-wrapper button.authorize >> nth=0');
  await page.click('.auth-btn-wrapper button.btn-done >> nth=0');

  const submit = page.locator('.opblock-post', { has: page.locator('[data-path="/api/task"]') });
  await submit.locator('.opblock-summary-control').click();
  await submit.locator('textarea').first().fill('{ "service": "quick", "payload": { "from": "the docs page" } }');
  await submit.locator('button.execute').click();
  const answer = submit.locator('.live-responses-table .response');
  await answer.waitFor();
  await keepPicture(page, 'docs-answer', true);

  expect(await answer.locator('.response-col_status').first().innerText()).toContain('202');
  expect(await answer.innerText()).toContain('tsk_');
  expect(elsewhere).toEqual([]);
  expect(errors).toEqual([]);
});

it.each(['light', 'dark'] as const)('shows in the %s theme how each call is made', async (theme) => {
  const page = await openPageIn(browser, { viewport: { width: 1200, height: 1400 }, colorScheme: theme });
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${pipeline.run.url}/docs`);
  await page.waitForSelector('.opblock-post');
  expect(await page.evaluate('document.documentElement.className')).toBe(theme === 'dark' ? 'dark-mode' : '');
  const submit = page.locator('.opblock-post', { has: page.locator('[data-path="/api/task"]') });
  await submit.locator('.opblock-summary-control').click();
  const sample = submit.locator('.code-samples pre');
  expect(await sample.innerText()).toContain('curl -X POST "$TASKLANE_URL/api/task"');
  await submit.getByRole('button', { name: 'Python' }).click();
  expect(await sample.innerText()).toContain('requests.request(');
  await submit.getByRole('button', { name: 'TypeScript' }).click();
  expect(await sample.innerText()).toContain('await fetch(');
  await keepPicture(page, `docs-samples-${theme}`);
  expect(errors).toEqual([]);
  await page.close();
});
