/**
 * What the answer to a submission says about its start: what the task waits for, and when it probably starts.
 * From what the isolate knows anyway: nobody is asked before a task is accepted. Where the registry keeps count of a
 * service, its estimate is read again beside requests, at most once in five seconds a service.
 */
import type { Context } from 'hono';
import { isoTime } from '../../shared/iso-time.ts';
import { logWarning } from '../../shared/log.ts';
import { isRouted } from '../../shared/service/definition.ts';
import { beside } from '../answer/beside.ts';
import type { AppEnv } from '../app.ts';
import type { Runtime } from '../runtime.ts';
import type { AcceptedTask } from '../schema/submission.ts';
import { whilePaused } from '../view/task-view.ts';

const ASK_AGAIN_MS = 5_000;
const NEWS_AGE_MS = 15_000;

/** More services than an isolate is asked for; the oldest news goes first. */
const MAX_SERVICES = 1_000;

type Expectation = Pick<AcceptedTask, 'waitingFor' | 'estimatedStartAt'>;

/** @param runAt its earliest start, when that is later than now */
export function expectationOf(runtime: Runtime, service: string, runAt: number | undefined, now: number): Expectation {
  const { services, waitNews } = runtime;
  if (runAt !== undefined) {
    return { waitingFor: { reason: 'scheduled', until: isoTime(runAt) }, estimatedStartAt: isoTime(runAt) };
  }
  const pause = services.pauseOf(service);
  if (pause !== undefined) return { waitingFor: whilePaused(pause, now) };
  const news = waitNews.get(service);
  const seconds = news !== undefined && now - news.askedAt < NEWS_AGE_MS ? news.seconds : undefined;
  if (seconds !== undefined && seconds > 0) {
    const at = isoTime(now + seconds * 1000);
    const ahead = news?.waiting;
    return {
      waitingFor: { reason: news?.reason ?? 'server-busy', until: at, ...(ahead !== undefined && { ahead }) },
      estimatedStartAt: at,
    };
  }
  // Of the queue with the fewest: there it goes when it may go anywhere.
  const fewest = runtime.shardNews.reduce((least, shard) => Math.min(least, shard?.backlog ?? least), Infinity);
  const ahead = Number.isFinite(fewest) ? fewest : undefined;
  const isSoon = seconds === 0 || ahead === 0;
  return {
    waitingFor: { reason: 'queue', ...(ahead !== undefined && { ahead }) },
    ...(isSoon && { estimatedStartAt: isoTime(now) }),
  };
}

/** Asks the registry about a service whose calls it counts, beside the request. */
export function refreshWaitNews(c: Context<AppEnv>, service: string, now: number): void {
  const { waitNews, services, config } = c.env.runtime;
  const definition = services.find(service);
  if (definition === undefined || !isRouted(definition)) return;
  const known = waitNews.get(service);
  if (known !== undefined && now - known.askedAt < ASK_AGAIN_MS) return;
  waitNews.delete(service);
  waitNews.set(service, { ...known, seconds: known?.seconds, askedAt: now });
  const [oldest] = waitNews.keys();
  if (waitNews.size > MAX_SERVICES && oldest !== undefined) waitNews.delete(oldest);
  const ask = async () => {
    try {
      const demand = await config.registry.getDemand(service);
      if (!demand.ok) return;
      const { estimatedWaitSeconds: seconds, waiting, waitingForPlace } = demand.value;
      const reason = waiting > 0 && waitingForPlace === 0 ? 'no-key' : 'server-busy';
      waitNews.set(service, { seconds, waiting, reason, askedAt: now });
    } catch (error) {
      logWarning('demand.unread', { service, cause: String(error) });
    }
  };
  beside(c, ask());
}
