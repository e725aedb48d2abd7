/** A clock for the local run's cron, which never fires by itself there. Never two rounds at once. */
import { CoreHeaders, CorePaths, type Miniflare } from 'miniflare';

export interface Cron {
  /** Runs a round now; when one is under way, the next starts after it. Never rejects. */
  tick(): Promise<void>;
  /** No round starts from now on; resolves when the one under way has ended. */
  stop(): Promise<void>;
}

/** @param onError is told what a round threw; the next one comes all the same */
export function startCron(intervalMs: number, round: () => Promise<void>, onError: (error: unknown) => void): Cron {
  let last = Promise.resolve();
  let pending = 0;
  let stopped = false;
  const tick = (): Promise<void> => {
    pending++;
    last = last
      .then(() => (stopped ? undefined : round()))
      .catch((error: unknown) => {
        if (!stopped) onError(error);
      })
      .finally(() => pending--);
    return last;
  };
  // A slow round takes the place of those that would have started meanwhile.
  const timer = setInterval(() => void (pending === 0 && tick()), intervalMs);
  return {
    tick,
    stop: () => {
      stopped = true;
      clearInterval(timer);
      return last;
    },
  };
}

/** Over HTTP: `getWorker().scheduled()` would stop this process, and its reading of the log, for a whole round. */
export async function runScheduled(miniflare: Miniflare, workerName: string): Promise<void> {
  const target = `http://localhost${CorePaths.SCHEDULED}?cron=${encodeURIComponent('* * * * *')}`;
  const response = await miniflare.dispatchFetch(target, { headers: { [CoreHeaders.ROUTE_OVERRIDE]: workerName } });
  const outcome = await response.text();
  if (outcome !== 'ok') throw new Error(`outcome ${outcome}`);
}
