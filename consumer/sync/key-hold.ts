/**
 * A key for one synchronous call: asked for by itself, because there is no batch to share the question
 * with, and given back with what the call said of it.
 */
import pRetry from 'p-retry';
import { logError, logWarning } from '../../shared/log.ts';
import type { Declined } from '../../shared/sync/call.ts';
import type { ConsumerEnv } from '../env.ts';
import { rosterOf } from '../keys/pool/roster.ts';
import type { KeyVerdict, LimitFacts } from '../keys/pool/verdict.ts';

/** The pool does not answer: the client may try again after this. */
const UNAVAILABLE_MS = 5_000;

const RETRIES = { retries: 1, minTimeout: 50, shouldRetry: () => true };

export interface HeldKey {
  readonly pool: string;
  readonly number: number;
  /** Safe to call once; never rejects: the pool takes a call that it hears nothing of as ended in the end. */
  giveBack(verdict: KeyVerdict, facts?: LimitFacts): Promise<void>;
}

export type KeyTaken =
  | { readonly is: 'held'; readonly key: HeldKey }
  | { readonly is: 'waiting'; readonly declined: Declined & { readonly until: number } }
  /** Two keys that work for others were refused for this call: it is the call. */
  | { readonly is: 'refused' };

export interface KeyRequest {
  readonly id: string;
  readonly pool: string;
  /** How often it has been told to wait. */
  readonly waits: number;
  /** Unix ms. */
  readonly patientUntil: number;
  /** When the call has ended for sure, Unix ms. */
  readonly expiresAt: number;
}

export async function takeKey(env: ConsumerEnv, request: KeyRequest): Promise<KeyTaken> {
  const { id, pool, waits, patientUntil, expiresAt } = request;
  const startedAt = Date.now();
  if (!env.keys.ring.pools.has(pool)) {
    return { is: 'waiting', declined: { why: 'no-key', until: startedAt + UNAVAILABLE_MS } };
  }
  const block = crypto.randomUUID();
  try {
    const lease = {
      block,
      expiresAt,
      tasks: [{ id, waits, patientUntil }],
      roster: await rosterOf(env.keys.ring, pool),
      configured: env.keys.limits(pool),
      elsewhere: [],
      incoming: 0,
    };
    const { decisions, outlook } = await pRetry(() => env.keys.pool(pool).lease(lease), RETRIES);
    env.keys.outlooks.note(pool, outlook);
    const [decision] = decisions;
    if (decision?.is === 'refused') return { is: 'refused' };
    if (decision?.is !== 'granted') {
      const { until = startedAt + UNAVAILABLE_MS, why = 'no-key' as const } = decision ?? {};
      return { is: 'waiting', declined: { why, until } };
    }
    const giveBack = async (verdict: KeyVerdict, facts?: LimitFacts) => {
      const report = { task: id, startedAt, endedAt: Date.now(), verdict, isOver: true, ...(facts && { facts }) };
      await returnKey(env, pool, block, report);
    };
    return { is: 'held', key: { pool, number: decision.key, giveBack } };
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, tasks: 1 }, error);
    return { is: 'waiting', declined: { why: 'no-key', until: Date.now() + UNAVAILABLE_MS } };
  }
}

type Report = Parameters<ReturnType<ConsumerEnv['keys']['pool']>['giveBack']>[0]['reports'][number];

async function returnKey(env: ConsumerEnv, pool: string, block: string, report: Report): Promise<void> {
  try {
    const answer = await pRetry(() => env.keys.pool(pool).giveBack({ block, reports: [report] }), RETRIES);
    env.keys.outlooks.note(pool, answer.outlook);
    for (const { kind, key, fingerprint, httpStatus } of answer.notices) {
      const event = kind === 'refused' ? 'key.refused' : 'key.exhausted';
      logWarning(event, { shard: env.shard, pool, key, fingerprint, httpStatus });
    }
  } catch (error) {
    logError('keys.unavailable', { shard: env.shard, pool, reports: 1 }, error);
  }
}
