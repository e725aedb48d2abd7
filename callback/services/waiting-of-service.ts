/**
 * Where tasks of a service wait for capacity, over all stores: in the service's own lines, for keys of its pool, in
 * flows. Counted up to a bound in each line.
 */
import { poolLine, refusedLine, serviceLine } from '../../shared/capacity/line.ts';
import { poolNameOf } from '../../shared/key/name.ts';
import {
  countWaiting,
  type LineRange,
  lineAlone,
  linesFrom,
  mergeLines,
  type WaitingLine,
} from '../../shared/store/backlog.ts';
import { RATE_IS_OLD_MS } from '../../shared/store/parking.ts';
import { inAllStores } from '../by-store.ts';
import type { CallbackEnv } from '../env.ts';

export interface ServiceWaiting {
  /** For a place at its servers. */
  readonly atService: number;
  /** For keys, or for their turn in a flow. */
  readonly elsewhere: number;
  /** Until a task that comes now has a key, behind all that wait for one; undefined when nobody knows. */
  readonly keyWaitSeconds: number | undefined;
}

const NOTHING: ServiceWaiting = { atService: 0, elsewhere: 0, keyWaitSeconds: 0 };

const KEYS = 'keys';
const PLACES = 'places';

/** @param keyPool of the service's definition */
export async function readServiceWaiting(
  env: Pick<CallbackEnv, 'stores'>,
  service: string,
  keyPool: string | undefined,
  now: number,
): Promise<ServiceWaiting> {
  const ranges = rangesOf(service, keyPool === undefined ? undefined : poolNameOf(keyPool));
  const lines = (await inAllStores(env, ({ db }) => countWaiting(db, ranges, now - RATE_IS_OLD_MS))).flat();
  return mergeLines(lines).reduce((sum, line) => add(sum, line, service), NOTHING);
}

function rangesOf(service: string, pool: string | undefined): LineRange[] {
  return [
    { ...lineAlone(serviceLine(service)), name: PLACES },
    linesFrom(PLACES, `${serviceLine(service)}#`),
    linesFrom('flows', 'flow:'),
    ...(pool === undefined
      ? []
      : [
          lineAlone(poolLine(pool)),
          linesFrom(KEYS, `${poolLine(pool)}#`),
          lineAlone(refusedLine(pool)),
          linesFrom('refused', `${refusedLine(pool)}#`),
        ]),
  ];
}

function add(sum: ServiceWaiting, { line, parts, perSecond }: WaitingLine, service: string): ServiceWaiting {
  const own = parts.filter((part) => part.service === service).reduce((count, part) => count + part.count, 0);
  if (line === PLACES) return { ...sum, atService: sum.atService + own };
  const elsewhere = sum.elsewhere + own;
  // Which of the pool's buckets the next task is of, nobody knows.
  if (line === KEYS) return { ...sum, elsewhere, keyWaitSeconds: undefined };
  if (!line.startsWith('pool:')) return { ...sum, elsewhere };
  const all = parts.reduce((count, part) => count + part.count, 0);
  const seconds = perSecond === undefined || perSecond <= 0 ? undefined : (all + 1) / perSecond;
  const { keyWaitSeconds } = sum;
  return {
    ...sum,
    elsewhere,
    keyWaitSeconds:
      keyWaitSeconds === undefined || seconds === undefined ? undefined : Math.max(keyWaitSeconds, seconds),
  };
}
