/** A path whose cost is counted, and how its tasks are submitted. */
import type { MeteredRun, WorkerName } from './metered-run.ts';

/** What is counted for one unit of work. */
export interface Cost {
  readonly queueOperations: number;
  readonly statements: number;
  readonly rowsWritten: number;
  readonly rowsRead: number;
  readonly durableObjectCalls: number;
  readonly durableObjectRowsWritten: number;
  readonly bucketWrites: number;
  readonly bucketReads: number;
  /** The most Worker invocations that one batch caused. */
  readonly mostInvocations: number;
}

export type Budget = Partial<Cost>;

export interface Path {
  readonly name: string;
  readonly budget: Budget;
  /** Whose counts are looked at: all Workers' work unless said otherwise. */
  readonly of?: WorkerName | 'cron';
  /** Done before the counting starts. */
  readonly prepare?: (run: MeteredRun) => Promise<void>;
  /** @returns how many units of work it was */
  readonly work: (run: MeteredRun) => Promise<number>;
}

/** Tasks that are submitted together; they are consumed in batches as deployed, of ten. */
export const BATCH = 100;

export const submitBatch = (run: MeteredRun, task: object, size = BATCH) =>
  run.call<{ results: { id: string }[] }>('POST', '/api/tasks/batch', 202, {
    tasks: Array.from({ length: size }, () => task),
  });

export const DAY_MS = 86_400_000;
