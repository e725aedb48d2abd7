import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { menuOf, PAGES, type PageName, pageOf, seesPage } from '../../dashboard/pages.ts';
import { ACCESS, type TokenRights } from '../../producer/access.ts';
import { ROLES } from '../../shared/auth/role.ts';

const DASHBOARD = path.resolve(import.meta.dirname, '../../dashboard');
const NAMES = Object.keys(PAGES) as PageName[];

/** A page's module and whatever of the dashboard it imports. */
function sourcesOf(file: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(file)) return seen;
  const text = readFileSync(file, 'utf8');
  seen.set(file, text);
  for (const [, specifier = ''] of text.matchAll(/from '(\.[^']+\.tsx?)'/g)) {
    const target = path.resolve(path.dirname(file), specifier);
    // The list itself names everybody's.
    if (target.startsWith(DASHBOARD) && target !== path.join(DASHBOARD, 'pages.ts')) sourcesOf(target, seen);
  }
  return seen;
}

function readIn(page: PageName): string[] {
  const sources = [...sourcesOf(path.join(DASHBOARD, 'pages', `${page}.tsx`)).values()];
  const named = sources.flatMap((text) => [...text.matchAll(/call\(\s*'(GET [^']+)'/g)].map(([, name = '']) => name));
  return [...new Set(named)].sort();
}

const titles = (token: TokenRights) => menuOf(token).map(({ title }) => title);

describe('the pages of the dashboard', () => {
  it.each(NAMES)('%s names every operation that it reads, and no other', (page) => {
    expect(readIn(page)).toEqual([...PAGES[page].reads].sort());
  });

  it('has no page or part that goes to the API past the access table', () => {
    for (const page of NAMES)
      for (const [file, text] of sourcesOf(path.join(DASHBOARD, 'pages', `${page}.tsx`)))
        expect(text.replaceAll(/'(?:GET|POST|PUT|DELETE) \/api\/[^']*'/g, ''), file).not.toMatch(/['"`]\/api\//);
  });

  it('shows each role what the access table lets it read', () => {
    const watched = [
      'Overview',
      'Tasks',
      'Groups',
      'Flows',
      'Redrive',
      'Servers',
      'Keys',
      'Schedules',
      'Stores',
      'Alerts',
    ];
    const all = [...watched, 'Audit', 'Settings'];
    expect(Object.fromEntries(ROLES.map((role) => [role, titles({ role })]))).toMatchObject({
      admin: all,
      viewer: all,
      client: ['Tasks', 'Groups', 'Flows', 'Redrive', 'Schedules', 'Settings'],
      server: ['Servers', 'Settings'],
    });
    expect(seesPage('service', { role: 'viewer' })).toBe(true);
    expect(seesPage('service', { role: 'client' })).toBe(false);
    expect(seesPage('task', { role: 'client' })).toBe(true);
  });

  it('shows a token that is limited to services what these allow', () => {
    expect(titles({ role: 'admin', services: ['ocr'] })).toEqual(['Tasks', 'Servers', 'Settings']);
  });

  it('is reached by a letter of its own', () => {
    const keys = menuOf({ role: 'admin' }).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is told from a page that does not exist', () => {
    expect(pageOf('tasks')?.title).toBe('Tasks');
    for (const name of ['', 'nothing', 'toString', '__proto__']) expect(pageOf(name)).toBeUndefined();
  });
});

describe('an operation', () => {
  it('that a page reads is a row of the table that somebody with a token may do', () => {
    for (const page of NAMES)
      for (const operation of PAGES[page].reads) expect(typeof ACCESS.get(operation), operation).toBe('object');
  });
});
