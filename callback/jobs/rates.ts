/**
 * What services bear, for who starts many of their tasks: the limits that the registry knows or has learnt, and the
 * pace at which the line of their pool of keys moved of late.
 */
import { targetOfLine } from '../../shared/capacity/line.ts';
import { ASSUMED_PER_SECOND, type StartRate } from '../../shared/job/job.ts';
import { readLineRates } from '../../shared/store/parking.ts';
import { inAllStores } from '../by-store.ts';
import type { CallbackEnv } from '../env.ts';
import { askRegistry } from '../registry/asking.ts';

/** A pool's pace is worth so long: its keys and their limits change seldom. */
const PACE_HOLDS_MS = 86_400_000;

export async function ratesOfServices(
  env: Pick<CallbackEnv, 'stores' | 'serverRegistry'>,
  services: readonly string[],
  now: number,
): Promise<Map<string, StartRate>> {
  const names = [...new Set(services)];
  if (names.length === 0) return new Map();
  const [known, lines] = await Promise.all([
    askRegistry(env.serverRegistry, (registry) => registry.getServiceRates(names)),
    inAllStores(env, ({ db }) => readLineRates(db, now - PACE_HOLDS_MS)),
  ]);
  const pools = slowestByPool(lines.flat());
  return new Map(
    known.map(({ service, perSecond, pool, perSecondOfKey }) => {
      const ofPool = pool === undefined ? undefined : (pools.get(pool) ?? perSecondOfKey);
      const told = [perSecond, ofPool].filter((pace) => pace !== undefined);
      const pace = told.length === 0 ? ASSUMED_PER_SECOND : Math.min(...told);
      return [service, { perSecond: pace, isKnown: told.length > 0 }];
    }),
  );
}

/** A pool has a line for each bucket of its keys; nobody knows here which one a task will need. */
function slowestByPool(lines: readonly { readonly line: string; readonly perSecond: number }[]): Map<string, number> {
  const pools = new Map<string, number>();
  for (const { line, perSecond } of lines) {
    const target = targetOfLine(line);
    if (target?.kind !== 'pool' || perSecond <= 0) continue;
    pools.set(target.pool, Math.min(perSecond, pools.get(target.pool) ?? Number.POSITIVE_INFINITY));
  }
  return pools;
}
