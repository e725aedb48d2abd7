/**
 * The key pools as batch and synchronous route ask them: a question has an id, may be repeated (rule R22),
 * and what nobody wants any more goes back by it.
 */
import pRetry from 'p-retry';
import type { LeaseRequest } from '../../shared/capacity/lease.ts';
import { logError, logWarning } from '../../shared/log.ts';
import type { KeyReport } from '../keys/pool/feedback.ts';
import type { KeyAnswer, KeyCall } from '../keys/pool/lease.ts';
import { membersOf } from '../keys/pool/members.ts';
import type { KeyNotice, KeyRelease } from '../keys/pool/release.ts';
import type { KeyEnv } from './capacity-env.ts';

const RETRIES = { retries: 2, minTimeout: 50, factor: 4, shouldRetry: () => true };

/** @returns undefined when the pool does not answer: then nothing of the lease is kept */
export async function askForKeys(
  env: KeyEnv,
  pool: string,
  { calls, ...question }: LeaseRequest<KeyCall>,
): Promise<readonly KeyAnswer[] | undefined> {
  const shard = Number(env.shard);
  try {
    const request = {
      ...question,
      calls: calls.map((call) => (Object.keys(call).length === 1 ? call.task : call)),
      members: await membersOf(env.keys.ring, pool),
      configured: env.keys.limits(pool),
      shard,
      otherShards: (env.keys.shards[pool] ?? []).filter((other) => other !== shard),
    };
    const answers = await pRetry(() => env.keys.pool(pool).lease(request), RETRIES);
    return calls.flatMap(({ task }, index) => {
      const answer = answers[index] ?? [];
      return typeof answer === 'number' ? { task, kind: 'granted' as const, key: answer } : answer;
    });
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, tasks: calls.length }, error);
    // It may have answered all the same.
    await releaseKeys(env, pool, question.leaseId, undefined);
    return undefined;
  }
}

/** Never rejects: the pool takes calls that it hears nothing of as ended when their lease is over. */
export async function releaseKeys(
  env: KeyEnv,
  pool: string,
  leaseId: string,
  reports: readonly KeyReport[] | undefined,
): Promise<void> {
  try {
    const request = { leaseId, ...(reports !== undefined && saidBriefly(reports)) };
    const notices = await pRetry(() => env.keys.pool(pool).release(request), RETRIES);
    for (const notice of notices) logNotice(env.shard, pool, notice);
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, reports: reports?.length ?? 0 }, error);
  }
}

function saidBriefly(reports: readonly KeyReport[]): Pick<KeyRelease, 'reports' | 'worked'> {
  const { brief = [], whole = [] } = Object.groupBy(reports, ({ feedback, facts }) =>
    feedback.kind === 'worked' && facts === undefined ? 'brief' : 'whole',
  );
  return { reports: whole, worked: brief.map(({ task }) => task) };
}

function logNotice(shard: string, pool: string, { kind, key, fingerprint, httpStatus, until }: KeyNotice): void {
  const fields = { shard, pool, key, fingerprint, httpStatus, until: until && new Date(until).toISOString() };
  logWarning(kind === 'refused' ? 'key.refused' : 'key.exhausted', fields);
}
