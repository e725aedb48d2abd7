/**
 * What lists cost, which the producer alone reads for. The pages are those of planted tasks: a page looks through each span of
 * its subject's time for itself (decision 0064), and of tasks that were just made the clock would say how many spans they lie in.
 */
import type { MeteredRun } from './metered-run.ts';
import { DAY_MS, type Path } from './path.ts';
import { parkTasks, plantTasks, unparkTasks } from './planted-tasks.ts';

const SPAN_MS = 2 ** 18;
const PAGE = 50;
const IN_NEWER_SPAN = 20;

const SPAN = Math.floor((Date.now() - DAY_MS) / SPAN_MS) * SPAN_MS;
const NEWER_SPAN = SPAN + SPAN_MS;
const OLDER_SPAN = SPAN - SPAN_MS;

/** The page whose newest tasks lie in this span. */
async function listPage(run: MeteredRun, span: number): Promise<number> {
  const target = `/api/tasks?limit=${PAGE}&before=${new Date(span + 1).toISOString()}`;
  const { tasks } = await run.call<{ tasks: readonly unknown[] }>('GET', target, 200);
  if (tasks.length !== PAGE) throw new Error(`the page has ${tasks.length} tasks`);
  return 1;
}

export const LIST_PATHS: readonly Path[] = [
  {
    name: 'list by ref, page of 50',
    budget: { rowsRead: 250, rowsWritten: 0 },
    async work(run) {
      await run.call('GET', '/api/tasks?ref=order-77&limit=50', 200);
      return 1;
    },
    of: 'producer',
  },
  {
    name: 'list, page of 50',
    // Two for each task: where it stands in the timeline, and its row.
    budget: { statements: 2, rowsRead: 110, rowsWritten: 0 },
    prepare: async (run) => plantTasks(run, SPAN, PAGE),
    work: (run) => listPage(run, SPAN),
    of: 'producer',
  },
  {
    name: `list, page of 50 of which ${IN_NEWER_SPAN} lie in a newer span of time`,
    // Those of the newer span are walked again to find where it ends.
    budget: { statements: 4, rowsRead: 110 + IN_NEWER_SPAN, rowsWritten: 0 },
    prepare: async (run) => plantTasks(run, NEWER_SPAN, IN_NEWER_SPAN),
    work: (run) => listPage(run, NEWER_SPAN),
    of: 'producer',
  },
  {
    name: 'list, page of 50 of which each stands in a line of its own',
    // One statement more, and two rows for each line: its name, and what is said of it.
    budget: { statements: 3, rowsRead: 110 + 2 * PAGE, rowsWritten: 0 },
    async prepare(run) {
      plantTasks(run, OLDER_SPAN, PAGE);
      parkTasks(run, OLDER_SPAN);
    },
    async work(run) {
      const pages = await listPage(run, OLDER_SPAN);
      unparkTasks(run);
      return pages;
    },
    of: 'producer',
  },
  {
    name: 'list, filter that nothing matches',
    budget: { rowsRead: 10_010, rowsWritten: 0 },
    async work(run) {
      await run.call('GET', '/api/tasks?status=expired', 200);
      return 1;
    },
    of: 'producer',
  },
];
