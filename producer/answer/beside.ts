/** Work that a request starts and does not wait for. */
import type { Context } from 'hono';
import type { AppEnv } from '../app.ts';

/** @param work never rejects */
export function beside(c: Context<AppEnv>, work: Promise<void>): void {
  try {
    c.executionCtx.waitUntil(work);
  } catch {
    // Without an execution context nothing ends the work early.
    void work;
  }
}
