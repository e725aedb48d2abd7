/**
 * `npm run screenshots`: every page of the dashboard, and `/docs`, with 100,000 tasks in the database, in both themes and
 * two sizes, as files below `.wrangler/screenshots/busy` for a person to look at. Says how long each page took to show
 * its data, and ends with 1 when one says an error or writes one to the console.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';
import { startBackend } from '../examples/backend/server.ts';
import { startProvider } from '../examples/provider/server.ts';
import { exampleServices, providerServices } from '../examples/services.ts';
import { type LocalRun, startLocal } from '../local/runtime.ts';
import { signToken } from '../shared/auth/token.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { fill, TASKS } from './screenshots/filling.ts';

parseOptionsOrExit();

const SHOTS = path.join('.wrangler', 'screenshots', 'busy');
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;
const SETTLE_MS = 300;
const THEMES = ['light', 'dark'] as const;

const secret = () => Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64url');
const SECRETS = {
  JWT_SECRET: secret(),
  ID_SECRET: secret(),
  CALLBACK_SECRET: secret(),
  WEBHOOK_SECRET: secret(),
  ...Object.fromEntries([1, 2, 3, 4].map((number) => [`KEY${number}`, `sk-${secret()}`])),
};

type ApiCall = <Answer>(method: string, target: string, body?: unknown) => Promise<Answer>;

async function callerOf({ url }: LocalRun, role: 'admin' | 'client', sub: string): Promise<ApiCall> {
  const token = await signToken({ sub, role }, SECRETS.JWT_SECRET, 3600);
  return async <Answer>(method: string, target: string, body?: unknown) => {
    const response = await fetch(url + target, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${target} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  };
}

/** What people and servers do on such a day. @returns a task that failed, and one with a large body */
async function liveThrough(run: LocalRun, backendUrl: string): Promise<{ failed: string; large: string }> {
  const [admin, client] = [await callerOf(run, 'admin', 'root'), await callerOf(run, 'client', 'demo')];
  for (const [name, cron] of [
    ['nightly-report', '30 2 * * *'],
    ['hourly-sync', '0 * * * *'],
  ])
    await client('POST', '/api/schedules', { name, cron, timeZone: 'Europe/Berlin', task: { service: 'quick' } });
  await admin('POST', '/api/schedules/hourly-sync/pause?subject=demo');
  for (const weight of [1, 2, 3]) {
    const url = `${backendUrl}/server-${weight}`;
    await admin('POST', '/api/servers', { url, services: [{ name: 'work' }], weight, tier: weight === 3 ? 2 : 1 });
  }
  for (const customer of ['acme', 'globex']) {
    const flow = { key: `customer-${customer}`, concurrency: 2, rate: 30, periodSeconds: 60 };
    await client('POST', '/api/task', { service: 'quick', payload: {}, flow });
  }
  await admin('POST', '/api/flows/customer-globex/pause?subject=demo', { reason: 'its quota is used up' });
  await admin('POST', '/api/services/slow/pause', { reason: 'the backend is being mended' });
  await admin('POST', '/api/keys/0/1/disable');
  await admin('PUT', '/api/alerts/settings', {
    url: `${backendUrl}/echo`,
    raiseAfterMinutes: 0,
    thresholds: { 'failure-rate': 3, 'keys-cooling': 25 },
  });
  await admin('POST', '/api/alerts/test');
  const failing = { service: 'flaky', path: '/no-such-path', ref: 'order-77', labels: { customer: 'acme' } };
  const { id } = await client<{ id: string }>('POST', '/api/task', { ...failing, payload: { page: 1 } });
  await client('GET', `/api/task/${id}?wait=20`);
  const payload = { text: 'A page of a long document. '.repeat(20_000) };
  const large = await client<{ id: string }>('POST', '/api/task', { service: 'quick', payload });
  await client('GET', `/api/task/${large.id}?wait=20`);
  await admin('POST', '/api/alerts/silence', {
    alert: 'failure-rate/flaky',
    until: new Date(Date.now() + 8 * 3600_000).toISOString(),
  });
  const filter = { service: 'flaky', label: ['customer:acme'] };
  await admin('POST', '/api/tasks/redrive', { filter, perSecond: 5 });
  await run.tick();
  return { failed: id, large: large.id };
}

interface Shot {
  readonly page: string;
  readonly size: keyof typeof SIZES;
  readonly theme: (typeof THEMES)[number];
  readonly ms: number;
  readonly faults: readonly string[];
}

async function shoot(browser: Browser, run: LocalRun, tasks: { failed: string; large: string }): Promise<Shot[]> {
  const token = await signToken({ sub: 'root', role: 'admin' }, SECRETS.JWT_SECRET, 3600);
  const pages = [
    'overview',
    'tasks',
    'groups',
    'flows',
    'redrive',
    'service/llm',
    'service/work',
    'service/slow',
    'servers',
    'keys',
  ];
  pages.push('schedules', 'stores', 'alerts', 'audit', 'settings');
  const places = new Map(pages.map((place) => [place.replace('/', '-'), place]));
  places.set('task-failed', `task/${tasks.failed}`).set('task-large', `task/${tasks.large}`);
  const shots: Shot[] = [];
  for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
    for (const theme of THEMES) {
      const page = await browser.newPage({ viewport: SIZES[size], colorScheme: theme, locale: 'en-GB' });
      let faults: string[] = [];
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      page.on('pageerror', (error) => faults.push(String(error)));
      const keep = async (name: string, startedAt: number) => {
        const ms = performance.now() - startedAt;
        await page.screenshot({ path: path.join(SHOTS, `${name}-${size}-${theme}.png`), fullPage: name !== 'docs' });
        shots.push({ page: name, size, theme, ms, faults });
        faults = [];
      };
      await page.goto(`${run.url}/dashboard`);
      await page.getByLabel('Token').fill(token);
      await page.screenshot({ path: path.join(SHOTS, `sign-in-${size}-${theme}.png`) });
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('navigation').waitFor();
      for (const [name, place] of places) {
        const startedAt = performance.now();
        await page.evaluate(`location.hash = '#/${place}'`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        // The frame changes first; then each part of the page has its data.
        await page.waitForTimeout(SETTLE_MS);
        await page.getByText('Loading …').first().waitFor({ state: 'detached' });
        if ((await page.getByRole('alert').count()) > 0) faults.push(await page.getByRole('alert').first().innerText());
        await keep(name, startedAt + SETTLE_MS);
      }
      const startedAt = performance.now();
      await page.goto(`${run.url}/docs`);
      await page.waitForSelector('.opblock-post');
      await keep('docs', startedAt);
      await page.close();
    }
  }
  return shots;
}

const stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-screenshots-'));
await mkdir(SHOTS, { recursive: true });
const backend = await startBackend();
const provider = await startProvider({});
const services = { ...exampleServices(backend.url), ...providerServices(provider.url) };
const run = await startLocal({ stateDir, services, secrets: SECRETS });
const browser = await playwright.launch({
  // One process for all ends with its first page.
  args: chromium.args.filter((arg) => arg !== '--single-process'),
  executablePath: await chromium.executablePath(),
  headless: true,
});
try {
  const database = await run.miniflare.getD1Database('TASK_DB_0', 'tasklane-callback');
  await fill(database as unknown as D1Database, Date.now());
  const shots = await shoot(browser, run, await liveThrough(run, backend.url));
  console.log(`${shots.length} screenshots with ${TASKS.toLocaleString('en')} tasks, in ${SHOTS}\n`);
  const rows = shots.map(({ page, size, theme, ms, faults }) => [
    page,
    size,
    theme,
    `${Math.round(ms)} ms`,
    faults.join('; '),
  ]);
  console.log(alignedTable(['page', 'size', 'theme', 'shown after', 'faults'], rows));
  if (shots.some(({ faults }) => faults.length > 0)) process.exitCode = 1;
} finally {
  await browser.close();
  await run.stop();
  await Promise.all([backend.stop(), provider.stop()]);
  await rm(stateDir, { recursive: true, force: true });
}
