/**
 * What is done to every answer on its way out, a guard's refusal and the answer to an error among them: one middleware, the
 * outermost. Most answers need none of it, so each step says so at once.
 */
import type { Context, MiddlewareHandler } from 'hono';
import type { AppEnv } from '../app.ts';

/** @returns undefined when there is nothing to wait for */
export type Finish = (c: Context<AppEnv>) => Promise<void> | undefined;

export function finish(...steps: readonly Finish[]): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    for (const step of steps) {
      const work = step(c);
      if (work !== undefined) await work;
    }
  };
}

/** The answer in place of the one that there is. Hono would add the headers of that one, if it were still there. */
export function replaceAnswer(c: Context<AppEnv>, answer: Response): void {
  c.res = undefined;
  c.res = answer;
}
