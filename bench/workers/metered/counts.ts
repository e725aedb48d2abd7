/** What was asked of the platform. */
export interface Counts {
  statements: number;
  rowsRead: number;
  rowsWritten: number;
  queueWrites: number;
  queueReads: number;
  queueDeletes: number;
  /** Worker invocations that this Worker caused through service bindings. */
  invocations: number;
  /** The most that one batch caused. */
  mostInvocations: number;
  durableObjectCalls: number;
  /** Into the SQLite of Durable Objects; an alarm that is set is one (Durable Objects pricing). */
  durableObjectRowsWritten: number;
  /** Of the bucket: what changes it or lists it, and what reads from it (R2 pricing). Deleting is free. */
  bucketWrites: number;
  bucketReads: number;
}

/** What the cron does is counted apart from the work of requests and batches. */
export type Ledger = 'work' | 'cron';
