/**
 * One page of a timeline from those of several stores. Pure. Ids sort by time across stores, so the
 * merged list returns every task once: a page ends where the first of the stores stopped looking, and
 * what others have seen beyond that is left to the next page.
 */

export interface Page<Row extends { readonly id: string }> {
  /** Newest first. */
  readonly rows: readonly Row[];
  /** Everything from here up has been looked at; undefined at the end of the timeline. */
  readonly nextBefore: string | undefined;
}

/** @param pages each with at most `limit` rows, looked for below the same id */
export function mergePages<Row extends { readonly id: string }>(pages: readonly Page<Row>[], limit: number): Page<Row> {
  const [only] = pages;
  if (only !== undefined && pages.length === 1) return only;
  const looked = pages.reduce(
    (highest, { nextBefore }) => ((nextBefore ?? '') > highest ? (nextBefore ?? '') : highest),
    '',
  );
  const rows = pages
    .flatMap((page) => page.rows)
    .filter(({ id }) => id >= looked)
    .sort((a, b) => (a.id < b.id ? 1 : -1));
  if (rows.length > limit) return { rows: rows.slice(0, limit), nextBefore: rows[limit - 1]?.id };
  return { rows, nextBefore: looked === '' ? undefined : looked };
}
