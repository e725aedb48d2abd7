/**
 * Finding tasks, newest first. What a page costs grows with the page and not with the table: each way walks
 * a key backwards, filters while walking, and examines a bounded number of rows. A page may therefore be short, or
 * empty, and still say where to go on. Guarantee: who follows a filter from page to page meets each task that was
 * there when it began exactly once, whatever is inserted or changes its status meanwhile, because ids do not change.
 *
 * The ways, best first: a subject's ref, group or label leads to ids; a subject leads to the ids of its tasks where it has few,
 * and to the spans of time in which it has many; a ref alone leads to ids of whoever has it; anything else walks the
 * timeline.
 */
import { smallestTaskIdAt } from '../task/id.ts';
import type { TaskStatus } from '../task/status.ts';
import type { Page } from './merged-page.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';
import { SUMMARY_COLUMNS, type TaskSummaryRow } from './row.ts';

export interface TaskFilter {
  readonly subject?: string | undefined;
  /** Any of these. */
  readonly statuses?: readonly TaskStatus[] | undefined;
  readonly service?: string | undefined;
  readonly errorClass?: string | undefined;
  /** Where its last attempt was made that is on record. */
  readonly server?: string | undefined;
  readonly ref?: string | undefined;
  /** By name. */
  readonly group?: string | undefined;
  /** All of these. */
  readonly labels?: readonly (readonly [name: string, value: string])[] | undefined;
  /** Created at this time or later, Unix ms. */
  readonly createdFrom?: number | undefined;
  /** Created before this time, Unix ms. */
  readonly createdBefore?: number | undefined;
  /** Only ids below this one: where the last page ended. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/**
 * Rows that one statement examines; a short page reads its window a second time to find where it ended. Counts
 * look further, because they show nothing in between, and so does the walk inside a span, of which most rows are others'.
 */
const windowRows = (shape: Shape, way: Way) => {
  if (shape !== 'summary') return 10_000;
  return way === 'span' ? 5_000 : 1_000;
};

/** Parts of a subject's time that are looked at for one page, in growing groups of statements. */
const PART_GROUPS = [1, 4, 16, 43] as const;

/** A subject has at most five in a span, so that these are eighty spans of a busy one. */
const MAX_ENTRIES = 400;

/** Of the oldest span that is read, those without the last one may be left to the next page. */
const LEFT_ENTRIES = 5;

/** Sorts after every id. */
const NEWEST = 'tsk_~';
const SPAN_CHARS = 10;
const ID_CHARS = 36;

/** What is read of each task that is found. */
const SHAPES = {
  summary: SUMMARY_COLUMNS,
  error: 'id, service, status, error, finished_at',
  id: 'id',
  job: 'id, service',
} as const;

export interface FoundError {
  readonly id: string;
  readonly service: string;
  readonly status: TaskStatus;
  readonly error: string | null;
  readonly finished_at: number | null;
}

interface Found {
  readonly summary: TaskSummaryRow;
  readonly error: FoundError;
  readonly id: { readonly id: string };
  readonly job: { readonly id: string; readonly service: string };
}

export type Shape = keyof typeof SHAPES;

// In the SQL: ?1 ids below, ?2 ids from, ?3 subject, ?4 statuses, ?5 service, ?6 error class, ?7 server, ?8 terms that
// must all lead to the task, ?9 limit, ?10 the term that is walked. `seen` is a row under way.
const MATCHES = `
  (?3 IS NULL OR seen.subject = ?3) AND (?4 IS NULL OR seen.status IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR seen.service = ?5)
  AND (?6 IS NULL OR (SELECT error->>'class' FROM tasks WHERE id = seen.id) = ?6)
  AND (?7 IS NULL OR (SELECT history->>'$[#-1].server' FROM tasks WHERE id = seen.id) = ?7)
  AND (?8 IS NULL OR NOT EXISTS (
    SELECT 1 FROM json_each(?8) AS wanted WHERE NOT EXISTS (
      SELECT 1 FROM finds WHERE term = wanted.value AND subject = seen.subject AND entry = seen.id)))`;

const TASKS = 'FROM tasks WHERE id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT';
const WAYS = {
  timeline: TASKS,
  span: TASKS,
  'subject-term': `FROM finds WHERE term = ?10 AND subject = ?3 AND entry < ?1 AND entry >= ?2 ORDER BY entry DESC LIMIT`,
  term: 'FROM finds WHERE term = ?10 AND ?3 IS NULL AND entry < ?1 AND entry >= ?2 ORDER BY entry DESC LIMIT',
} as const;
type Way = keyof typeof WAYS;

const SEEN = 'SELECT id, subject, status, service';
// A cross join keeps the order: the entries are walked, their tasks are looked up.
const windowOf = (way: Way, rows: number) =>
  WAYS[way] === TASKS
    ? `${SEEN} ${TASKS} ${rows}`
    : `${SEEN} FROM (SELECT entry ${WAYS[way]} ${rows}) AS entries CROSS JOIN tasks ON tasks.id = entries.entry`;

// Only rows that match are read whole: bodies lie before some of the columns. A join reads two rows for each, a list three.
const found = (shape: Shape, way: Way) => `
  SELECT ${SHAPES[shape]} FROM (SELECT seen.id AS found_id FROM (${windowOf(way, windowRows(shape, way))}) AS seen
    WHERE ${MATCHES} LIMIT ?9) AS found CROSS JOIN tasks ON tasks.id = found.found_id`;

/** The last row of a window that is full; where there is none, the way ends. */
const windowEnd = (shape: Shape, way: Way) =>
  `SELECT ${WAYS[way] === TASKS ? 'id' : 'entry AS id'} ${WAYS[way]} 1 OFFSET ${windowRows(shape, way) - 1}`;

const forEachWay = (text: (shape: Shape, way: Way) => string) => {
  const ofShape = (shape: Shape) => ({
    timeline: text(shape, 'timeline'),
    span: text(shape, 'span'),
    'subject-term': text(shape, 'subject-term'),
    term: text(shape, 'term'),
  });
  return { summary: ofShape('summary'), error: ofShape('error'), id: ofShape('id'), job: ofShape('job') };
};

const FOUND = forEachWay(found);
const WINDOW_END = forEachWay(windowEnd);

const ENTRIES = `SELECT entry FROM finds WHERE term = '' AND subject = ?1 AND entry < ?2 AND entry >= ?3
  ORDER BY entry DESC LIMIT ?4`;

export function findTasks<As extends Shape>(db: D1Database, shape: As, filter: TaskFilter): Promise<Page<Found[As]>> {
  const search = searchOf(filter);
  const [term] = search.terms;
  if (filter.subject === undefined) {
    const isByTerm = (filter.ref ?? filter.group) !== undefined && term !== undefined;
    return walk(db, shape, isByTerm ? 'term' : 'timeline', search);
  }
  return term === undefined ? walkSubject(db, shape, filter.subject, search) : walk(db, shape, 'subject-term', search);
}

interface Search {
  readonly below: string;
  readonly from: string;
  readonly limit: number;
  /** The ref first. */
  readonly terms: readonly string[];
  /** Of ?3 to ?8. */
  readonly conditions: readonly (string | null)[];
}

function searchOf(filter: TaskFilter): Search {
  const { ref, group, labels = [], createdFrom, createdBefore, before = NEWEST } = filter;
  const terms = [
    ...(ref === undefined ? [] : [`ref:${ref}`]),
    ...(group === undefined ? [] : [`group:${group}`]),
    ...labels.map(([name, value]) => `label:${name}:${value}`),
  ];
  const created = createdBefore === undefined ? NEWEST : smallestTaskIdAt(createdBefore);
  return {
    below: before < created ? before : created,
    from: createdFrom === undefined ? '' : smallestTaskIdAt(createdFrom),
    limit: filter.limit,
    terms,
    conditions: [
      filter.subject ?? null,
      filter.statuses === undefined ? null : JSON.stringify(filter.statuses),
      filter.service ?? null,
      filter.errorClass ?? null,
      filter.server ?? null,
      terms.length === 0 ? null : JSON.stringify(terms),
    ],
  };
}

function statements<As extends Shape>(
  db: D1Database,
  shape: As,
  way: Way,
  { below, from, limit, terms, conditions }: Search,
) {
  const values = [below, from, ...conditions, limit, terms[0] ?? null];
  const [first, end] = [db.prepare(FOUND[shape][way]), db.prepare(WINDOW_END[shape][way])];
  return WAYS[way] === TASKS
    ? { found: first.bind(...values.slice(0, 9)), end: end.bind(below, from) }
    : { found: first.bind(...values), end: end.bind(...values) };
}

/** One window. A page that is full ends at its last task, a short one where the window ended. */
async function walk<As extends Shape>(db: D1Database, shape: As, way: Way, search: Search): Promise<Page<Found[As]>> {
  const { found: first, end } = statements(db, shape, way, search);
  const { results } = await first.all<Found[As]>();
  const rows = newestFirst(results);
  if (rows.length === search.limit) return { rows, nextBefore: rows.at(-1)?.id };
  return { rows, nextBefore: (await end.first<{ id: string }>())?.id };
}

/** What the subject's entries lead to, in groups that grow while the page is short. */
async function walkSubject<As extends Shape>(
  db: D1Database,
  shape: As,
  subject: string,
  search: Search,
): Promise<Page<Found[As]>> {
  // Where nothing is filtered each entry brings a task, so that those of a page are enough.
  const isFiltered = search.conditions.slice(1).some((condition) => condition !== null);
  const most = isFiltered ? MAX_ENTRIES : Math.min(MAX_ENTRIES, search.limit + LEFT_ENTRIES);
  const { results } = await db
    .prepare(ENTRIES)
    .bind(subject, search.below, search.from.slice(0, SPAN_CHARS), most)
    .all<{ entry: string }>();
  const { parts, nextBefore } = partsOf(
    results.map(({ entry }) => entry),
    results.length === most,
  );
  const rows: Found[As][] = [];
  let at = 0;
  for (const size of PART_GROUPS) {
    const group = parts.slice(at, at + size);
    if (group.length === 0) break;
    at += size;
    const page = await walkParts(db, shape, group, { ...search, limit: search.limit - rows.length });
    rows.push(...page.rows);
    if (rows.length === search.limit) return { rows, nextBefore: rows.at(-1)?.id };
    if (page.nextBefore !== undefined) return { rows, nextBefore: page.nextBefore };
  }
  return { rows, nextBefore: at < parts.length ? parts[at - 1]?.from : nextBefore };
}

/** A part of the timeline in which the subject's tasks are all entered by their ids, or are looked for among others'. */
interface Part {
  readonly way: 'subject-term' | 'span';
  /** Its smallest possible id. */
  readonly from: string;
  /** Greater than all of its ids. */
  readonly below: string;
}

/**
 * Pure. Neighbouring spans whose tasks are entered by their ids are one part.
 * @param entries newest first: ids, and after those of its span the span itself where there are more
 * @param isCut there may be older entries
 */
function partsOf(entries: readonly string[], isCut: boolean): Pick<Page<never>, 'nextBefore'> & { parts: Part[] } {
  const spans = [...Map.groupBy(entries, (entry) => entry.slice(0, SPAN_CHARS))];
  const last = spans.at(-1);
  // Whether the last span has more than its ids stands behind them.
  const isOpen = isCut && last !== undefined && !last[1].includes(last[0]);
  if (isOpen) spans.pop();
  const parts: Part[] = [];
  for (const [span, found] of spans) {
    const way = found.includes(span) ? 'span' : 'subject-term';
    const before = parts.at(-1);
    if (way === 'subject-term' && before?.way === way) parts[parts.length - 1] = { ...before, from: startOf(span) };
    else parts.push({ way, from: startOf(span), below: `${span}~` });
  }
  return { parts, nextBefore: isCut ? parts.at(-1)?.from : undefined };
}

/** @returns `nextBefore` where a window ended before its part did, or the page is full */
async function walkParts<As extends Shape>(
  db: D1Database,
  shape: As,
  parts: readonly Part[],
  search: Search,
): Promise<Page<Found[As]>> {
  const searches = parts.map(({ way, from, below }) => ({
    way,
    ...search,
    below: search.below < below ? search.below : below,
    from: search.from > from ? search.from : from,
    terms: way === 'subject-term' ? [''] : [],
  }));
  const [only] = searches;
  if (only !== undefined && searches.length === 1) return walk(db, shape, only.way, only);
  // In one round trip: most spans of a subject with few tasks hold one or two of them.
  const answers = await db.batch(
    searches.flatMap((each) => {
      const { found: first, end } = statements(db, shape, each.way, each);
      return [first, end];
    }),
  );
  const rows: Found[As][] = [];
  for (let at = 0; at < answers.length; at += 2) {
    rows.push(...newestFirst((answers[at]?.results ?? []) as Found[As][]).slice(0, search.limit - rows.length));
    if (rows.length === search.limit) return { rows, nextBefore: rows.at(-1)?.id };
    const [end] = (answers[at + 1]?.results ?? []) as { id: string }[];
    if (end !== undefined) return { rows, nextBefore: end.id };
  }
  return { rows, nextBefore: undefined };
}

/** A join promises no order. */
function newestFirst<Row extends { readonly id: string }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** The smallest id in a span. */
function startOf(span: string): string {
  return span.padEnd(ID_CHARS, '0');
}

/** Where a step of the clean-up ended: a place in the primary key. */
interface FindPlace {
  readonly term: string;
  readonly subject: string;
  readonly entry: string;
}

/**
 * One bounded step through the entries: deletes those among the next `rows` that lead to no task any more.
 * @param position where the last step ended, `''` at the start
 * @param olderThan only entries below this id are looked at: their tasks may be gone
 * @returns where the next step starts (`''` after the end of the table)
 */
export async function forgetFinds(db: D1Database, position: string, rows: number, olderThan: string): Promise<string> {
  const after: FindPlace = position === '' ? { term: '', subject: '', entry: '' } : (JSON.parse(position) as FindPlace);
  const { results } = await db
    .prepare(
      `SELECT term, subject, entry FROM finds
       WHERE (term, subject, entry) > (?1, ?2, ?3) ORDER BY term, subject, entry LIMIT ?4`,
    )
    .bind(after.term, after.subject, after.entry, rows)
    .all<FindPlace>();
  await runForEach(
    db,
    `DELETE FROM finds WHERE (term, subject, entry) IN (
       SELECT value->>'term', value->>'subject', value->>'entry' FROM ${ROWS}
       WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id >= value->>'entry' AND id <= (value->>'entry') || '~'))`,
    jsonParameters(results.filter(({ entry }) => entry < olderThan)),
  );
  const last = results.at(-1);
  return results.length < rows || last === undefined ? '' : JSON.stringify(last);
}
