import { describe, expect, it } from 'vitest';
import { mergePages, type Page } from '../../../shared/store/merged-page.ts';

interface Row {
  readonly id: string;
}

const named = (number: number) => `t${String(number).padStart(4, '0')}`;

/** A store that looks at `window` rows a page and keeps those of `wanted`. */
function pageOf(
  ids: readonly number[],
  before: string,
  limit: number,
  window: number,
  wanted: (id: number) => boolean,
) {
  const below = ids.filter((id) => named(id) < before).sort((a, b) => b - a);
  const looked = below.slice(0, window);
  const rows: Row[] = looked
    .filter(wanted)
    .slice(0, limit)
    .map((id) => ({ id: named(id) }));
  const end = looked.length === window ? looked.at(-1) : undefined;
  const nextBefore = rows.length === limit ? rows.at(-1)?.id : end === undefined ? undefined : named(end);
  return { rows, nextBefore } satisfies Page<Row>;
}

describe('a page of several stores', () => {
  it.each([
    { stores: 1, limit: 7, window: 10, every: 1 },
    { stores: 3, limit: 7, window: 10, every: 1 },
    { stores: 3, limit: 50, window: 10, every: 3 },
    { stores: 4, limit: 3, window: 5, every: 17 },
    { stores: 3, limit: 1, window: 1, every: 2 },
  ])(
    'returns every task once: $stores stores, pages of $limit, windows of $window',
    ({ stores, limit, window, every }) => {
      // Uneven on purpose: the first store holds most, the last nearly nothing.
      const held = Array.from({ length: stores }, (): number[] => []);
      for (let id = 0; id < 500; id++) held[Math.min(stores - 1, Math.floor(Math.log2((id % 37) + 1)))]?.push(id);
      const wanted = (id: number) => id % every === 0;
      const seen: string[] = [];
      let before = '~';
      for (let turn = 0; turn < 2_000; turn++) {
        const page = mergePages(
          held.map((ids) => pageOf(ids, before, limit, window, wanted)),
          limit,
        );
        expect(page.rows.length).toBeLessThanOrEqual(limit);
        seen.push(...page.rows.map(({ id }) => id));
        if (page.nextBefore === undefined) break;
        expect(page.nextBefore < before).toBe(true);
        before = page.nextBefore;
      }
      const expected = Array.from({ length: 500 }, (_, id) => id)
        .filter(wanted)
        .reverse()
        .map(named);
      expect(seen).toEqual(expected);
    },
  );

  it('has nothing when no store has', () => {
    expect(mergePages([{ rows: [], nextBefore: undefined }], 10)).toEqual({ rows: [], nextBefore: undefined });
  });
});
