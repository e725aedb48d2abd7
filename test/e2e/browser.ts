/** A real Chromium for tests of pages, and what is done with each page: pictures that are kept, and the checker of accessibility. */
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core';

const SCREENSHOTS = path.resolve(import.meta.dirname, '../../.wrangler/screenshots');
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;
export const THEMES = ['light', 'dark'] as const;

export async function launchBrowser(): Promise<Browser> {
  await mkdir(SCREENSHOTS, { recursive: true });
  return playwright.launch({
    // One process for all ends with its first page.
    args: chromium.args.filter((arg) => arg !== '--single-process'),
    executablePath: await chromium.executablePath(),
    headless: true,
  });
}

/** A busy machine is no failure of a page: `/docs` alone took 20 seconds to be drawn on one. */
const PATIENCE_MS = 90_000;

/** @returns a page in a session of its own */
export async function openPageIn(browser: Browser, options: BrowserContextOptions): Promise<Page> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/** To the dashboard. */
export async function signInTo(page: Page, url: string, token: string): Promise<void> {
  await page.goto(`${url}/dashboard`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation').waitFor();
}

/** To a page of the dashboard; its data may come a moment later. */
export async function goTo(page: Page, place: string, heading: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(place)}`);
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
}

/** Kept for a person to look at. */
export async function keepPicture(page: Page, name: string, fullPage = false): Promise<void> {
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), fullPage });
}

let axe: Promise<string> | undefined;

/** What axe, the checker of accessibility, finds: rule and element. */
export async function violationsOn(page: Page): Promise<string[]> {
  axe ??= readFile(AXE, 'utf8');
  // The policy of the page allows no script from outside; the checker comes in by the debugger.
  await page.evaluate(await axe);
  const { violations: found } = (await page.evaluate('axe.run()')) as {
    violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
  };
  return found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}
