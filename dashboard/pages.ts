/**
 * The pages: what each is called, what it reads, and so who sees it. A page whose reading the access table
 * (producer/access.ts) does not allow to a token is not in its menu, and links to it are plain words. Pure.
 */
import { rightTo, type TokenRights } from '../producer/access.ts';
import type { Reading } from './operation.ts';

interface Page {
  readonly title: string;
  /** Every operation that it reads: `test/dashboard/pages.unit.test.ts` holds the list to the page's source. */
  readonly reads: readonly Reading[];
  /** Pressed after `g`; pages without one are reached from another page, and are not in the menu. */
  readonly key?: string;
  /** What it is about stands in its title. */
  readonly isNamed?: true;
}

export const PAGES = {
  overview: {
    title: 'Overview',
    key: 'o',
    reads: ['GET /api/stats/tasks', 'GET /api/stats/hourly', 'GET /api/tasks/errors', 'GET /api/alerts'],
  },
  tasks: { title: 'Tasks', key: 't', reads: ['GET /api/tasks'] },
  task: { title: 'Task', reads: ['GET /api/task/:id', 'GET /api/task/:id/payload', 'GET /api/task/:id/result'] },
  groups: { title: 'Groups', key: 'g', reads: ['GET /api/groups'] },
  flows: { title: 'Flows', key: 'f', reads: ['GET /api/flows'] },
  redrive: { title: 'Redrive', key: 'r', reads: ['GET /api/jobs'] },
  service: {
    title: 'Service',
    isNamed: true,
    reads: [
      'GET /api/services/:name',
      'GET /api/services/:name/demand',
      'GET /api/stats/tasks',
      'GET /api/stats/hourly',
      'GET /api/stats/keys',
      'GET /api/servers',
      'GET /api/tasks/errors',
    ],
  },
  servers: { title: 'Servers', key: 's', reads: ['GET /api/servers'] },
  keys: { title: 'Keys', key: 'k', reads: ['GET /api/stats/keys'] },
  schedules: { title: 'Schedules', key: 'c', reads: ['GET /api/schedules'] },
  stores: { title: 'Stores', key: 'd', reads: ['GET /api/stats/stores'] },
  alerts: { title: 'Alerts', key: 'a', reads: ['GET /api/alerts'] },
  audit: { title: 'Audit', key: 'u', reads: ['GET /api/audit'] },
  settings: { title: 'Settings', key: 'p', reads: [] },
} as const satisfies Readonly<Record<string, Page>>;

export type PageName = keyof typeof PAGES;

const NAMES = Object.keys(PAGES) as PageName[];

export function pageOf(name: string): (Page & { readonly name: PageName }) | undefined {
  const known = NAMES.find((each) => each === name);
  return known && { name: known, ...PAGES[known] };
}

export function seesPage(name: PageName, token: TokenRights): boolean {
  return PAGES[name].reads.every((operation) => rightTo(operation, token).ok);
}

/** Those that a token sees from anywhere, in the order of the menu. */
export function menuOf(
  token: TokenRights,
): { readonly name: PageName; readonly title: string; readonly key: string }[] {
  return NAMES.flatMap((name) => {
    const { title, key }: Page = PAGES[name];
    return key !== undefined && seesPage(name, token) ? [{ name, title, key }] : [];
  });
}
