/**
 * What payloads and results above the inline limit cost beside their tasks, at R2's list prices (developers.cloudflare.com/r2/pricing,
 * November 2026). Pure.
 */
import type { Lives } from './storage.ts';

/** Dollars a million, and what is included each month. Deleting is free. */
const CLASS_A = { perMillion: 4.5, included: 1_000_000 };
const CLASS_B = { perMillion: 0.36, included: 10_000_000 };
const STORED = { perGigabyte: 0.015, included: 10 };

/** A payload and a result of so much each, as they are written by one operation. */
export const LARGE_MEGABYTES = 5;

/** A large task: its payload and its result are put, got by the call and by the client; and its row is written at once. */
const OF_A_LARGE_TASK = { classA: 2, classB: 2, rowsWritten: 1 };

/** The walk for orphans: a list an hour, and one for each thousand objects. */
const LISTS_A_MONTH = 730;

const DAYS_A_MONTH = 30.4;

export interface LargeBodies {
  readonly rowsWritten: number;
  readonly lines: readonly { readonly what: string; readonly amount: number; readonly dollars: number }[];
}

/** @param share of the tasks, from 0 to 1 */
export function largeBodiesOf(tasksAMonth: number, share: number, { days, bodyDays }: Lives): LargeBodies {
  const tasks = tasksAMonth * share;
  if (tasks === 0) return { rowsWritten: 0, lines: [] };
  const classA = tasks * OF_A_LARGE_TASK.classA + LISTS_A_MONTH;
  const classB = tasks * OF_A_LARGE_TASK.classB;
  const gigabytes = ((tasks / DAYS_A_MONTH) * Math.min(days, bodyDays) * 2 * LARGE_MEGABYTES) / 1_000;
  const operations = (amount: number, { perMillion, included }: typeof CLASS_A) =>
    (Math.max(0, amount - included) / 1_000_000) * perMillion;
  return {
    rowsWritten: tasks * OF_A_LARGE_TASK.rowsWritten,
    lines: [
      { what: 'R2 class A operations', amount: Math.round(classA), dollars: operations(classA, CLASS_A) },
      { what: 'R2 class B operations', amount: Math.round(classB), dollars: operations(classB, CLASS_B) },
      {
        what: 'GB stored in R2',
        amount: Math.round(gigabytes),
        dollars: Math.max(0, gigabytes - STORED.included) * STORED.perGigabyte,
      },
    ],
  };
}
