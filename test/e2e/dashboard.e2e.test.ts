/**
 * The dashboard in a real browser against the running pipeline: what a person sees and does, without errors in
 * the console, without a word from elsewhere, and without a violation that axe finds, in two sizes and both
 * themes. Screenshots stay in `.wrangler/screenshots` for a person to look at.
 */
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signToken } from '../../shared/auth/token.ts';
import { goTo, keepPicture, launchBrowser, openPageIn, SIZES, signInTo, THEMES, violationsOn } from './browser.ts';
import { Client, type Pipeline, SECRETS, startPipeline } from './pipeline.ts';

let pipeline: Pipeline;
let browser: Browser;
let page: Page;
let faults: string[];
const tasks = { quick: '', failing: '', large: '' };
let keyed: Awaited<ReturnType<typeof startReceiver>>;

beforeAll(async () => {
  keyed = await startReceiver();
  pipeline = await startPipeline({
    secrets: { ...SECRETS, KEY1: 'sk-of-the-dashboard-tests-1234567890' },
    // A call a minute: who waits for its key stands there for as long as the tests take.
    services: { keyed: { baseUrl: keyed.url, keyPool: 'default', keyLimits: { requestsPerMinute: 1 } } },
  });
  browser = await launchBrowser();
  const client = await Client.as(pipeline.run.url, 'alice');
  tasks.quick = await client.submit({ service: 'quick', payload: { hello: 'world' } });
  tasks.large = await client.submit({ service: 'quick', payload: { text: 'long '.repeat(30_000) } });
  tasks.failing = await client.submit({ service: 'quick', path: '/no-such-path' });
  const many = Array.from({ length: 3 }, (_, at) => ({
    service: 'quick',
    path: '/no-such-path',
    ref: `order-${at}`,
    labels: { customer: 'acme' },
    group: 'night-7',
  }));
  for (const id of await client.submitMany(many)) await client.task(id, 20);
  await client.call('POST', '/api/schedules', { name: 'nightly', cron: '30 2 * * *', task: { service: 'quick' } });
  for (const id of Object.values(tasks)) await client.call('GET', `/api/task/${id}?wait=20`);
});
afterAll(async () => {
  await browser?.close();
  await pipeline?.[Symbol.asyncDispose]();
  await keyed?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  faults = [];
  await openPage('desktop', 'light');
});
afterEach(async () => {
  await page.close();
  expect(faults).toEqual([]);
});

async function openPage(size: keyof typeof SIZES, theme: (typeof THEMES)[number]): Promise<void> {
  await page?.close();
  page = await openPageIn(browser, { viewport: SIZES[size], colorScheme: theme, locale: 'en-GB' });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(pipeline.run.url) && !url.startsWith('data:')) faults.push(`elsewhere: ${url}`);
  });
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
}

async function signIn(role: 'admin' | 'viewer' | 'client', subject: string = role, read?: true): Promise<void> {
  await signInTo(page, pipeline.run.url, await signToken({ sub: subject, role, read }, SECRETS.JWT_SECRET, 600));
}

async function go(place: string, heading: string): Promise<void> {
  await goTo(page, place, heading);
  await expect.poll(() => page.getByText('Loading …').count()).toBe(0);
}

async function startReceiver() {
  const types: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    types.push(body === '' ? '' : JSON.parse(body).type);
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    types,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

describe('the dashboard', () => {
  it('lets nobody in without a token, and says what is wrong with a bad one', async () => {
    await page.goto(`${pipeline.run.url}/dashboard`);
    await page.getByLabel('Token').fill('not a token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('npm run token');
    expect(await page.getByRole('navigation').count()).toBe(0);
  });

  it('tells the story of a task, and lets an admin run it again', async () => {
    await signIn('admin');
    await go('#/tasks?status=failed', 'Tasks');
    await page.getByRole('link', { name: tasks.failing }).click();
    await page.getByText('It failed for good.').waitFor();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('dialog').getByText('fresh attempts').waitFor();
    await keepPicture(page, 'dashboard-confirm');
    await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    // Live: the second failure shows without a reload.
    await page.getByText('2 (2 failed)').waitFor();
  });

  it('finds tasks by reference, label and error', async () => {
    await signIn('admin');
    await go('#/tasks', 'Tasks');
    const found = () => page.getByRole('row').filter({ has: page.getByRole('link') });
    await page.getByLabel('Reference').fill('order-1');
    await page.getByRole('button', { name: 'Find' }).click();
    await expect.poll(() => found().count()).toBe(1);
    await page.getByLabel('Reference').fill('');
    await page.getByLabel('Label').fill('customer:acme');
    await page.getByLabel('Error').selectOption('http');
    await page.getByRole('button', { name: 'Find' }).click();
    await expect.poll(() => found().count()).toBe(3);
  });

  it('runs failed tasks again, and says before what that does and takes', async () => {
    await signIn('admin');
    await go('#/redrive', 'Redrive');
    await page.getByLabel('Label').fill('customer:acme');
    await page.getByRole('button', { name: 'Look what that would do' }).click();
    await page.getByText('quick: 3 tasks').waitFor();
    await page.getByRole('button', { name: 'Run 3 tasks' }).click();
    await page.getByRole('dialog').getByText('3 tasks run again from the start').waitFor();
    await keepPicture(page, 'dashboard-redrive-confirm');
    await page.getByRole('dialog').getByRole('button', { name: 'Run 3 tasks' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('row').getByText('3 of 3').waitFor();
  });

  it('shows tasks that wait for a key as the backlog of their service', async () => {
    const client = await Client.as(pipeline.run.url, 'alice');
    await client.submitMany(Array.from({ length: 5 }, () => ({ service: 'keyed', payload: {} })));
    const admin = await Client.as(pipeline.run.url, 'root', 'admin');
    const waiting = async () => (await admin.call('GET', '/api/services/keyed/demand')).body.waiting;
    await expect.poll(waiting).toBeGreaterThan(0);
    await signIn('admin');
    await go('#/service/keyed', 'Service keyed');
    await page.getByRole('link', { name: 'keys of the pool default' }).waitFor();
    await page.getByText('for capacity, the oldest was submitted').waitFor();
    await page.getByText('1 in 60 s (configured)').waitFor();
  });

  it('shows how large a stored body is, and downloads it', async () => {
    await signIn('viewer');
    await go(`#/task/${tasks.large}`, 'Task');
    const panel = page.locator('section.panel', { hasText: 'Request' }).first();
    await panel.getByText('150 kB, application/json').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      panel.getByRole('link', { name: 'Download' }).click(),
    ]);
    expect((await stat(await download.path())).size).toBeGreaterThan(150_000);
  });

  it('takes the settings of alerts in a form, and says before what they change', async () => {
    await signIn('admin');
    await go('#/alerts', 'Alerts');
    await page.getByLabel('Receiver').fill('https://hooks.example.com/tasklane');
    await page.getByLabel('From: Many tasks fail').fill('7.5');
    await page.getByLabel('Watch: A store fills up').uncheck();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').getByText('Alerts go to https://hooks.example.com/tasklane from now on').waitFor();
    await page.getByRole('dialog').getByText('Not watched: A store fills up').waitFor();
    await keepPicture(page, 'dashboard-alerts-confirm');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const admin = await Client.as(pipeline.run.url, 'root', 'admin');
    expect((await admin.call('GET', '/api/alerts')).body.settings).toMatchObject({
      url: 'https://hooks.example.com/tasklane',
      thresholds: { 'failure-rate': 7.5 },
      off: ['store-fill'],
    });
    await page.getByLabel('Tell nobody of any alert until').fill('2100-01-01T12:00');
    await page.getByRole('button', { name: 'Silence all' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Silence all' }).click();
    await page.getByRole('button', { name: 'End the silence of all' }).waitFor();
    await page.getByRole('button', { name: 'End the silence of all' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End the silence of all' }).click();
    await page.getByText('Nothing is silenced.').waitFor();
  });

  it('says who is told of alerts, and sends a test', async () => {
    await using receiver = await startReceiver();
    const admin = await Client.as(pipeline.run.url, 'root', 'admin');
    await admin.call('PUT', '/api/alerts/settings', { url: receiver.url });
    await signIn('admin');
    await go('#/alerts', 'Alerts');
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('Delivered: it answered 204.').waitFor();
    expect(receiver.types).toEqual(['alert.test']);
  });

  it.each([
    ['a viewer', 'viewer', undefined],
    ["an admin's token that only reads", 'admin', true],
  ] as const)('shows %s everything and no button that changes anything', async (_, role, read) => {
    await signIn(role, role, read);
    for (const [place, heading] of [
      ['#/overview', 'Overview'],
      [`#/task/${tasks.failing}`, 'Task'],
      ['#/service/quick', 'Service quick'],
      ['#/groups', 'Groups'],
      ['#/flows', 'Flows'],
      ['#/redrive', 'Redrive'],
      ['#/stores', 'Stores'],
      ['#/alerts', 'Alerts'],
      ['#/servers', 'Servers'],
      ['#/keys', 'Keys'],
      ['#/schedules', 'Schedules'],
    ] as const) {
      await go(place, heading);
      const buttons = await page.getByRole('button').allInnerTexts();
      expect(buttons).toEqual(['Skip to the content', 'Sign out']);
    }
  });

  it("shows a client its own tasks, and not another's", async () => {
    await signIn('client', 'bob');
    await go(`#/task/${tasks.quick}`, 'Task');
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).toEqual([
      'Tasks',
      'Groups',
      'Flows',
      'Redrive',
      'Schedules',
      'Settings',
    ]);
    faults = faults.filter((fault) => !fault.includes('404'));
    await go('#/service/quick', 'Service quick');
    await page.getByText('Your token does not allow to see this page').waitFor();
    await go('#/no-such-page', 'There is no such page');
  });

  it('leads a client to the pages that it sees alone', async () => {
    await signIn('client', 'alice');
    await go(`#/task/${tasks.failing}`, 'Task');
    await page.getByText('quick', { exact: true }).waitFor();
    expect(await page.getByRole('main').getByRole('link').count()).toBe(0);
  });

  it('is gone through with the keyboard, which says what its keys are', async () => {
    await signIn('admin');
    await go('#/overview', 'Overview');
    const focused = () => page.evaluate('document.activeElement?.id || document.activeElement?.innerText');
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByRole('heading', { level: 1, name: 'Tasks', exact: true }).waitFor();
    await expect.poll(focused).toBe('content');
    await page.keyboard.press('/');
    await page.keyboard.type(tasks.failing);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Task', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Run again' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByText('fresh attempts').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(focused).toBe('Run again');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).getByText('Find a task by its id').waitFor();
    await page.keyboard.press('Escape');
    await go('#/settings', 'Settings');
    await page.getByLabel('Letters lead to pages').uncheck();
    await page.getByRole('heading', { level: 1 }).click();
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  it('pauses a service until a time and for a reason, and resumes it', async () => {
    await signIn('admin');
    await go('#/service/keyed', 'Service keyed');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByLabel('Resume by itself at').fill('2100-01-01T12:00');
    await page.getByLabel('Why', { exact: true }).fill('the backend is being mended');
    await keepPicture(page, 'dashboard-pause-confirm');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('status').getByText('Done: Pause.').waitFor();
    await page.getByText('Paused: the backend is being mended').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await page.getByText('takes tasks').waitFor();
  });

  it('changes the limits of a flow', async () => {
    const client = await Client.as(pipeline.run.url, 'alice');
    const flow = { key: 'customer-acme', concurrency: 2 };
    await client.task(await client.submit({ service: 'quick', payload: {}, flow }), 20);
    await signIn('admin');
    await go('#/flows', 'Flows');
    await page.getByText('2 at a time').waitFor();
    await page.getByRole('button', { name: 'Set limits' }).click();
    await page.getByLabel('Calls at a time').fill('3');
    await page.getByLabel('Calls in a period').fill('10');
    await page.getByRole('dialog').getByRole('button', { name: 'Set limits' }).click();
    await page.getByText('3 at a time, 10 in 1.0 s').waitFor();
    await page.getByText('set by hand').waitFor();
  });

  it('keeps the last data when the API fails, says so, and goes on when it is back', async () => {
    await signIn('admin');
    await go('#/tasks', 'Tasks');
    await page.getByRole('link', { name: tasks.quick }).waitFor();
    await page.route('**/api/**', (route) => route.abort());
    await page.getByRole('alert').getByText('cannot be reached').waitFor();
    expect(await page.getByRole('alert').count()).toBe(1);
    await page.getByText('As of').waitFor();
    expect(await page.getByRole('link', { name: tasks.quick }).count()).toBe(1);
    await keepPicture(page, 'dashboard-stale');
    await page.unroute('**/api/**');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    faults = faults.filter((fault) => !fault.includes('net::ERR_FAILED'));
  });

  it('is usable by whoever cannot see it well, in both sizes and themes', async () => {
    const found: string[] = [];
    for (const size of ['desktop', 'phone'] as const) {
      for (const theme of THEMES) {
        await openPage(size, theme);
        await signIn('admin');
        for (const [place, heading] of [
          ['#/overview', 'Overview'],
          ['#/tasks', 'Tasks'],
          [`#/task/${tasks.quick}`, 'Task'],
          ['#/service/keyed', 'Service keyed'],
          ['#/groups', 'Groups'],
          ['#/flows', 'Flows'],
          ['#/redrive', 'Redrive'],
          ['#/stores', 'Stores'],
          ['#/alerts', 'Alerts'],
          ['#/servers', 'Servers'],
          ['#/keys', 'Keys'],
          ['#/schedules', 'Schedules'],
          ['#/audit', 'Audit'],
          ['#/settings', 'Settings'],
        ] as const) {
          await go(place, heading);
          await keepPicture(page, `dashboard-${heading.toLowerCase().replace(' ', '-')}-${size}-${theme}`, true);
          found.push(...(await violationsOn(page)).map((violation) => `${heading}, ${size}, ${theme}: ${violation}`));
          const isTooWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
          if (isTooWide) found.push(`${heading}, ${size}: wider than the screen`);
        }
      }
    }
    expect(found).toEqual([]);
  });
});
