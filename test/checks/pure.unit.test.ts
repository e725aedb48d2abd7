import { describe, expect, it } from 'vitest';
import { impuritiesOf, isMarkedPure } from '../../checks/pure.ts';

const impurities = (source: string) => impuritiesOf('a.ts', source).map(({ what }) => what);

describe('A file is marked pure', () => {
  it.each(['/** Sums. Pure. */', '/**\n * Turns. Deterministic, without\n * I/O.\n */\nlet a;'])(
    'by its header: %s',
    (source) => {
      expect(isMarkedPure(source)).toBe(true);
    },
  );

  it.each(['/** Sums. */\n/** Pure. */', '/** Pure, but for dice. */', 'const a = "Pure.";'])(
    'and by nothing else: %s',
    (source) => {
      expect(isMarkedPure(source)).toBe(false);
    },
  );
});

describe('A file that is marked pure', () => {
  it.each([
    ['Date.now()', 'uses Date.now'],
    ['new Date()', 'reads the clock'],
    ['Math.random()', 'uses Math.random'],
    ['await fetch(url)', 'calls fetch'],
    ['setTimeout(() => {}, 1)', 'calls setTimeout'],
    ['await scheduler.wait(1)', 'uses scheduler.wait'],
    ['crypto.getRandomValues(bytes)', 'uses crypto.getRandomValues'],
    ["import { env } from 'cloudflare:workers';", 'imports cloudflare:workers'],
    ["import { readFileSync } from 'node:fs';", 'imports node:fs'],
  ])('may not: %s', (source, what) => {
    expect(impurities(source)).toEqual([what]);
  });

  it.each([
    'new Date(now)',
    'Math.max(1, 2)',
    "await crypto.subtle.digest('SHA-256', bytes)",
    "import type { Socket } from 'node:net';",
    'options.fetch(url)',
  ])('may: %s', (source) => {
    expect(impurities(source)).toEqual([]);
  });
});
