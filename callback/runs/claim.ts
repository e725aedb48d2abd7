/** Answers a consumer's claims: which tasks it now holds, and what becomes of the other messages. */

import type { Claim, ClaimBatch, Denial, Grant } from '../../shared/ledger/contract.ts';
import { logError } from '../../shared/log.ts';
import { claimTasks } from '../../shared/store/claim.ts';
import { recordExpired } from '../../shared/store/expiry.ts';
import { eachAlone } from '../../shared/store/parameter.ts';
import { readRequests, readStates } from '../../shared/store/read.ts';
import { type ClaimedRow, type StateRow, stateOfRow } from '../../shared/store/row.ts';
import type { TaskError } from '../../shared/task/attempt.ts';
import { ACK, dispositionOf } from '../../shared/task/disposition.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { answerByStore } from '../by-store.ts';
import { mintCallbackToken } from '../callback-token.ts';
import type { CallbackEnv, StoreEnv } from '../env.ts';
import { noteStatement } from '../statistics.ts';
import { handOverLost, type MovedOn } from './lost-runs.ts';
import { tellEnds, toldClaims } from './messages.ts';

const TOO_LATE: TaskError = { class: 'deadline', message: 'The deadline passed before the task could run.' };

/** How long a message waits whose task cannot be read: a deploy mends it, or its deadline ends it. */
const UNREADABLE_DELAY_MS = 60_000;

/**
 * Claims of tasks whose store does not answer are left out; what is wrong with one claim or row is answered
 * for that one (rule R21).
 */
export async function answerClaims(env: CallbackEnv, batch: ClaimBatch, now: number): Promise<(Grant | Denial)[]> {
  const { nonce } = batch;
  // A store that is gone had lost its last row long before: nothing is left that could answer.
  const isGone = ({ id }: Claim) => !env.stores.has(id) && taskCreatedAt(id) <= now - env.retentionMs;
  const gone = batch.claims.filter(isGone);
  const claims = gone.length === 0 ? batch.claims : batch.claims.filter((claim) => !gone.includes(claim));
  const answers = await answerByStore(
    env,
    claims,
    ({ id }) => id,
    (store, part) => answerClaimsIn(store, { nonce, claims: [...part] }, now),
  );
  return [...answers, ...gone.map(({ id }) => deny(id, undefined, now))];
}

async function answerClaimsIn(env: StoreEnv, batch: ClaimBatch, now: number): Promise<(Grant | Denial)[]> {
  const late = batch.claims.filter(({ task }) => task !== undefined && task.deadlineAt <= now);
  const claims =
    late.length === 0 ? batch.claims : batch.claims.map((claim) => (late.includes(claim) ? wakeOnly(claim) : claim));

  const refused = new Set<string>();
  const refuse = ({ id }: Claim, error: unknown) => {
    logError('claim.refused', { id }, error);
    refused.add(id);
  };
  const beganAt = performance.now();
  const rows = await eachAlone(claims, (part) => claimTasks(env.db, { nonce: batch.nonce, claims: part }, now), refuse);
  const claimed = new Map(rows.map((row) => [row.id, row]));
  noteStatement(env, 'claim', batch.claims[0]?.id, performance.now() - beganAt, now);
  env.statistics.noteClaims(claimed.values(), now);
  await tellEnds(env, toldClaims([...claimed.values()]));
  const untouched = batch.claims.filter(({ id }) => !claimed.has(id)).map(({ id }) => id);
  const others = await readStates(env.db, untouched);
  const lapsed = [...others.values()].filter(({ id }) => !refused.has(id));
  const movedOn = (await apart('claim.handover_failed', handOverLost(env, lapsed, now))) ?? new Map<string, MovedOn>();
  const cancelled = late.filter(({ id }) => others.get(id)?.status === 'cancelled');
  await apart('claim.tombstones_failed', fillTombstones(env, { ...batch, claims: cancelled }, now));
  await recordUnseen(
    env,
    late.filter(({ id }) => !claimed.has(id) && !others.has(id)),
    now,
    refuse,
  );

  const isGranted = (id: string) => claimed.get(id)?.status === 'running';
  const bare = claims.filter(({ id, task }) => task === undefined && isGranted(id)).map(({ id }) => id);
  const requests = await readRequests(env.db, bare);

  return Promise.all(
    batch.claims.map(async ({ id }): Promise<Grant | Denial> => {
      const row = claimed.get(id);
      if (refused.has(id)) return unreadable(id);
      const moved = movedOn.get(id);
      if (moved !== undefined) return { id, granted: false, ...moved };
      try {
        if (row?.status === 'running') return await grant(env, row, requests.get(id));
        return deny(id, row ?? others.get(id), now);
      } catch (error) {
        logError('task.unreadable', { id }, error);
        return unreadable(id);
      }
    }),
  );
}

function unreadable(id: string): Denial {
  return { id, granted: false, status: 'unreadable', disposition: { kind: 'retry', delayMs: UNREADABLE_DELAY_MS } };
}

function wakeOnly({ id, leaseMs }: Claim): Claim {
  return { id, leaseMs };
}

/** Work on what was not claimed, whose failure costs the claimed tasks nothing: its messages come again (rule R21). */
async function apart<Value>(event: string, work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work;
  } catch (error) {
    logError(event, {}, error);
    return undefined;
  }
}

/** A cancellation that came before its task's row, and before this late message: what it lacks is filled in, and its end told. */
async function fillTombstones(env: StoreEnv, batch: ClaimBatch, now: number): Promise<void> {
  if (batch.claims.length > 0) await tellEnds(env, toldClaims(await claimTasks(env.db, batch, now)));
}

/** Messages past their deadline without a row: recorded while the row would be kept, else forgotten. */
async function recordUnseen(
  env: StoreEnv,
  claims: readonly Claim[],
  now: number,
  onRefused: (claim: Claim, error: unknown) => void,
): Promise<void> {
  const young = claims.filter(({ id }) => taskCreatedAt(id) > now - env.retentionMs);
  await eachAlone(young, (part) => recordExpired(env.db, part, JSON.stringify(TOO_LATE), now), onRefused);
}

async function grant({ tokenKey }: CallbackEnv, row: ClaimedRow, request: string | undefined): Promise<Grant> {
  const { id, service } = row;
  const state = stateOfRow(row);
  if (state.status !== 'running') throw new Error(`claimed ${id} is ${state.status}`);
  const callbackToken = await mintCallbackToken(tokenKey, id, state.run);
  return { id, granted: true, state, service, request, callbackToken };
}

function deny(id: string, row: StateRow | ClaimedRow | undefined, now: number): Denial {
  if (row === undefined) return { id, granted: false, status: 'absent', disposition: ACK };
  return {
    id,
    granted: false,
    status: row.status,
    disposition: dispositionOf(stateOfRow(row), 'due_at' in row ? (row.due_at ?? undefined) : undefined, now),
  };
}
