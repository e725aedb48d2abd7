/** One call of a backend, from the grant to what is settled: plain data. */
import type { Settlement } from '../../shared/ledger/contract.ts';
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import type { AttemptRecord, TaskError } from '../../shared/task/attempt.ts';
import {
  deferralDelayMs,
  fallbackDelayMs,
  placedDelayMs,
  retryDelayMs,
  wholeSeconds,
} from '../../shared/task/backoff.ts';
import { fallbackOf, type TaskRequest } from '../../shared/task/request.ts';
import { attemptNumber, attemptsUsed, type StateOf } from '../../shared/task/state.ts';
import type { CallableServer } from '../capacity/failover.ts';
import type { ServerUse } from '../capacity/server-use.ts';
import type { KeyFeedback, LimitFacts } from '../keys/pool/feedback.ts';
import type { Outcome } from './answer/outcome.ts';

export interface Call {
  readonly id: string;
  readonly service: string;
  readonly state: StateOf<'running'>;
  readonly request: TaskRequest;
  readonly callbackToken: string;
  /** In which it stood until now: its capacity's owner is told that the line stands. */
  readonly line?: string;
  /** Of a service that was put at run time: where the call is made it may not be known yet. */
  readonly definition?: ServiceDefinition;
  /** Of a service without a fixed target: the server that it was given, and others for failover. */
  readonly servers?: readonly CallableServer[];
  /** The key that it was leased, by its number: the value is looked up where the call is made. */
  readonly key?: { readonly pool: string; readonly number: number };
}

export interface Attempted {
  readonly outcome: Outcome;
  /** Unix ms. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Who was called last: a registered server's id, a host, a binding. */
  readonly server: string | undefined;
  /** It is a registered server. */
  readonly isRegistered?: boolean | undefined;
  /** Servers that were tried before it and not reached. */
  readonly unreachableServers?: readonly string[] | undefined;
  readonly use?: ServerUse;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  /** The backend's answer, where there was one. */
  readonly httpStatus?: number | undefined;
  readonly key?: KeyUse | undefined;
}

/** A leased key, and what the call said about it. */
export interface KeyUse {
  readonly pool: string;
  readonly number: number;
  readonly feedback: KeyFeedback;
  readonly facts?: LimitFacts;
}

/** A call that is over, on its way back to the batch. */
export interface EndedCall {
  readonly id: string;
  readonly attempted: Attempted;
}

/** A call that is over before it was made. */
export function notCalled(id: string, outcome: Outcome): EndedCall {
  const now = Date.now();
  return { id, attempted: { outcome, startedAt: now, endedAt: now, server: undefined } };
}

type Parking = NonNullable<Extract<Outcome, { kind: 'deferred' }>['park']>;

/**
 * The settlement of an attempted call: the event for the transition table, with the delay chosen.
 * @param random a number in [0, 1)
 */
export function settlementOf(call: Call, attempted: Attempted, callbackTimeoutMs: number, random: number): Settlement {
  const { id, state } = call;
  const { outcome, endedAt: at } = attempted;
  const { run } = state;
  switch (outcome.kind) {
    case 'succeeded':
      return {
        id,
        state,
        event: { type: 'succeed', at, run },
        record: { ...recordOf(call, attempted), outcome: 'succeeded' },
        ...(outcome.result !== undefined && { result: outcome.result }),
        ...(outcome.stored !== undefined && { storedResult: outcome.stored }),
      };
    case 'accepted':
      return {
        id,
        state,
        event: { type: 'accept', at, run, callbackTimeoutMs },
        record: { ...recordOf(call, attempted), outcome: 'accepted' },
        ...(attempted.isRegistered === true && attempted.server !== undefined && { server: attempted.server }),
      };
    case 'deferred': {
      const { retryAfterMs, placedBy, park } = outcome;
      const delayMs = deferralOf(state, outcome, random);
      const delayReason = park ? 'in line' : (placedBy ?? delayReasonOf(retryAfterMs, delayMs, 'minimum pause'));
      return {
        id,
        state,
        event: { type: 'defer', at, run, reason: outcome.reason, delayMs, ...parkPart(call, park) },
        record: {
          ...recordOf(call, attempted),
          outcome: 'deferred',
          reason: outcome.reason,
          delayMs,
          delayReason,
          ...(park !== undefined && retryAfterMs !== undefined && openingOf(park, at + retryAfterMs)),
          ...(outcome.error !== undefined && { error: outcome.error }),
        },
      };
    }
    case 'retryable': {
      const delayMs = retryDelayMs(state.policy, attemptsUsed(state), random, outcome.retryAfterMs);
      const delayReason = delayReasonOf(outcome.retryAfterMs, delayMs, 'backoff');
      return {
        id,
        state,
        event: { type: 'fail', at, run, retryable: true, delayMs },
        ...fallbackPart(call, outcome.error),
        error: outcome.error,
        record: { ...recordOf(call, attempted), outcome: 'failed', error: outcome.error, delayMs, delayReason },
      };
    }
    case 'permanent':
      return {
        id,
        state,
        event: { type: 'fail', at, run, retryable: false, delayMs: 0 },
        ...fallbackPart(call, outcome.error),
        error: outcome.error,
        record: { ...recordOf(call, attempted), outcome: 'failed', error: outcome.error },
      };
  }
}

function openingOf({ shard }: Parking, opensAt: number): Pick<AttemptRecord, 'opensAt' | 'opensOn'> {
  return { opensAt, ...(shard !== undefined && { opensOn: shard }) };
}

/** Who was released from this very line goes back to its head, or near it. */
function parkPart({ line }: Call, park: Parking | undefined) {
  if (park === undefined) return {};
  const isAgain = park.line === line;
  const isBehind = isAgain && park.isBehind === true;
  return { park: { line: park.line, ...(isAgain && { isAgain }), ...(isBehind && { isBehind }) } };
}

function deferralOf(
  { deferrals }: Call['state'],
  { retryAfterMs, placedBy, park }: Extract<Outcome, { kind: 'deferred' }>,
  random: number,
): number {
  if (park !== undefined) return fallbackDelayMs(deferrals, retryAfterMs);
  if (placedBy !== undefined) return placedDelayMs(deferrals, retryAfterMs ?? 0);
  return deferralDelayMs(deferrals, random, retryAfterMs);
}

function fallbackPart({ request, service }: Call, error: TaskError): Pick<Settlement, 'fallback'> {
  const fallback = fallbackOf(request, service, error);
  return fallback === undefined ? {} : { fallback };
}

function recordOf(
  { state, key }: Call,
  { startedAt, endedAt, server, httpStatus }: Attempted,
): Omit<AttemptRecord, 'outcome'> {
  return {
    run: state.run,
    attempt: attemptNumber(state),
    startedAt,
    endedAt,
    ...(server !== undefined && { server }),
    ...(key !== undefined && { key: { pool: key.pool, number: key.number } }),
    ...(httpStatus !== undefined && { httpStatus }),
  };
}

function delayReasonOf(retryAfter: number | undefined, delayMs: number, otherwise: string): string {
  return retryAfter !== undefined && retryAfter > 0 && wholeSeconds(retryAfter) <= delayMs ? 'retry-after' : otherwise;
}
