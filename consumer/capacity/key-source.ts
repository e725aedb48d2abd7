/**
 * The key pools as batch and synchronous route ask them: a question has an id, may be repeated (rule R22),
 * and what nobody wants any more goes back by it.
 *
 * A pool's object may run the code of another release: one that is in use goes on with its own for up to five minutes
 * after a deploy (developers.cloudflare.com/durable-objects/deployments/durable-objects-code-updates). So it is asked in whole
 * words until it has answered in brief ones, and what it gave in an answer that cannot be read goes back at once.
 */
import pRetry from 'p-retry';
import { awaitedUntil } from '../../shared/awaited.ts';
import type { LeaseRequest } from '../../shared/capacity/lease.ts';
import { logError, logWarning } from '../../shared/log.ts';
import { TimeLimitError, withinMs } from '../../shared/time-limit.ts';
import type { KeyReport } from '../keys/pool/feedback.ts';
import type { KeyAnswer, KeyCall } from '../keys/pool/lease.ts';
import { membersOf } from '../keys/pool/members.ts';
import type { KeyNotice, KeyRelease } from '../keys/pool/release.ts';
import type { KeyRing } from '../keys/secrets/discovery.ts';
import type { KeyEnv } from './capacity-env.ts';

/** Pools that have answered in brief, by the keys that this isolate has. */
const brief = new WeakMap<KeyRing, Set<string>>();

/** Longer than a question may be on its way (`shared/awaited.ts`) and then be held: after that it gets nothing. */
const PATIENCE_MS = 12_000;
const RETRIES = {
  retries: 2,
  minTimeout: 50,
  factor: 4,
  shouldRetry: ({ error }: { readonly error: Error }) => !(error instanceof TimeLimitError),
};

/**
 * @param patienceMs of one try
 * @returns undefined when the pool does not answer: then nothing of the lease is kept
 */
export async function askForKeys(
  env: KeyEnv,
  pool: string,
  { calls, ...question }: LeaseRequest<KeyCall> & { readonly mayWait?: boolean },
  patienceMs = PATIENCE_MS,
): Promise<readonly KeyAnswer[] | undefined> {
  const shard = Number(env.shard);
  const { ring } = env.keys;
  const briefly = brief.get(ring) ?? new Set<string>();
  brief.set(ring, briefly);
  try {
    const request = {
      ...question,
      calls: briefly.has(pool) ? calls.map((call) => (Object.keys(call).length === 1 ? call.task : call)) : calls,
      isBrief: true,
      members: await membersOf(ring, pool),
      configured: env.keys.limits(pool),
      shard,
      otherShards: (env.keys.shards[pool] ?? []).filter((other) => other !== shard),
    };
    const said: readonly unknown[] = await pRetry(
      () =>
        withinMs(
          env.keys.pool(pool).lease({ ...request, awaitedUntil: awaitedUntil(question.expiresAt) }),
          patienceMs,
          'the pool',
        ),
      RETRIES,
    );
    if (said.some((answer) => typeof answer === 'number')) briefly.add(pool);
    const answers = calls.map(({ task }, index) => readAnswer(said[index], task));
    const unreadable = calls.filter((_, index) => answers[index] === undefined);
    if (unreadable.length > 0) {
      briefly.delete(pool);
      logError('keys.unreadable', { shard: env.shard, pool, tasks: unreadable.length });
      const unused = unreadable.map(({ task }): KeyReport => ({ task, feedback: { kind: 'unused' } }));
      await releaseKeys(env, pool, question.leaseId, unreadable.length < calls.length ? unused : undefined);
    }
    return answers.filter((answer) => answer !== undefined);
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, tasks: calls.length }, error);
    // It may have answered all the same.
    await releaseKeys(env, pool, question.leaseId, undefined, patienceMs);
    return undefined;
  }
}

/** What stands at a call's place in the answer; undefined where that says nothing of the call. */
function readAnswer(said: unknown, task: string): KeyAnswer | undefined {
  if (typeof said === 'number') return { task, kind: 'granted', key: said };
  const answer = said as KeyAnswer | undefined;
  return answer?.task === task && HAS[answer.kind]?.(answer) ? answer : undefined;
}

/** What an answer of each kind must hold. */
const HAS: Readonly<Record<KeyAnswer['kind'], ((answer: KeyAnswer) => boolean) | undefined>> = {
  granted: (answer) => 'key' in answer && typeof answer.key === 'number',
  'start-at': (answer) => 'at' in answer && typeof answer.at === 'number',
  park: (answer) => 'line' in answer && typeof answer.line === 'string',
  fail: (answer) => 'detail' in answer && typeof answer.detail === 'string',
};

/** Never rejects: the pool takes calls that it hears nothing of as ended when their lease is over. */
export async function releaseKeys(
  env: KeyEnv,
  pool: string,
  leaseId: string,
  reports: readonly KeyReport[] | undefined,
  patienceMs?: number,
): Promise<void> {
  try {
    const request = { leaseId, ...(reports !== undefined && saidBriefly(reports)) };
    const notices = await pRetry(() => tell(env, pool, request, patienceMs), RETRIES);
    for (const notice of notices) logNotice(env.shard, pool, notice);
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, reports: reports?.length ?? 0 }, error);
  }
}

/** Never rejects: the pool keeps room for those that were woken, but not for long. @param buckets of their lines */
export async function noteElsewhere(env: KeyEnv, pool: string, buckets: readonly string[]): Promise<void> {
  try {
    await pRetry(() => tell(env, pool, { leaseId: '', reports: [], elsewhere: buckets }), RETRIES);
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, elsewhere: buckets.length }, error);
  }
}

function tell({ keys }: KeyEnv, pool: string, release: KeyRelease, patienceMs = PATIENCE_MS) {
  return withinMs<readonly KeyNotice[]>(keys.pool(pool).release(release), patienceMs, 'the pool');
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
