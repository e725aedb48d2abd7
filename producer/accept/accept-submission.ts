/**
 * One submission from its draft to its answer: its payload is placed, its idempotency key is claimed if it brings one,
 * then its task is sent. However often it is repeated under a key, or with an upload, one task comes to be.
 */
import type { Context } from 'hono';
import { taskCreatedAt } from '../../shared/task/id.ts';
import type { TaskStatus } from '../../shared/task/status.ts';
import { answerJson, refuse } from '../answer/answer.ts';
import { beside } from '../answer/beside.ts';
import type { AppEnv } from '../app.ts';
import { dropPlaced, placePayload, type Submitted } from '../bodies/place-payload.ts';
import { acceptOnce, isOfAnother, type OnceOutcome } from '../idempotency/accept-once.ts';
import { acceptedTask, answerOfOutcome } from '../idempotency/answer.ts';
import type { Runtime } from '../runtime.ts';
import type { AcceptedTask } from '../schema/submission.ts';
import { GROUP_CLOSED, NOT_ACCEPTED, taskOf } from '../submission/submission.ts';
import { acceptTask } from './accept.ts';

/** @param headers of the answer when it is accepted */
export async function acceptSubmission(
  c: Context<AppEnv>,
  submitted: Submitted,
  key: string | undefined,
  now: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { runtime } = c.env;
  const { subject, fields } = submitted;
  const placing = placePayload(runtime, submitted);
  const placed = placing instanceof Promise ? await placing : placing;
  if (!placed.ok) return refuse(placed.refusal.code, placed.refusal.details);
  const { draft, id, earlier } = placed;
  if (earlier !== undefined && earlier !== 'unrecorded') {
    return answerOutcome(runtime, replayed(id, earlier), now, headers);
  }
  if (key === undefined) {
    const task = taskOf(draft, id, subject, earlier === undefined ? now : taskCreatedAt(id));
    const accepted = await acceptTask(runtime, task);
    if (accepted === 'group-closed') return refuse(GROUP_CLOSED.code, GROUP_CLOSED.details);
    if (!accepted) return refuse(NOT_ACCEPTED.code, NOT_ACCEPTED.details);
    if (earlier !== undefined) return answerOutcome(runtime, replayed(id, undefined), now, headers);
    return answerAccepted(acceptedTask(runtime, task, now), headers);
  }
  const taskAs = (as: string, createdAt: number) => taskOf(draft, as, subject, createdAt);
  const item = { key, fields: await fields(), newId: id, taskAs };
  const [outcome = { kind: 'unavailable' as const }] = await acceptOnce(runtime, subject, [item], now);
  if (isOfAnother(outcome, id)) beside(c, dropPlaced(runtime, draft, id));
  return answerOutcome(runtime, outcome, now, headers);
}

function answerOutcome(
  runtime: Runtime,
  outcome: OnceOutcome,
  now: number,
  headers: Readonly<Record<string, string>>,
): Response {
  const answer = answerOfOutcome(runtime, outcome, now);
  return answer.ok ? answerAccepted(answer.accepted, headers) : refuse(answer.refusal.code, answer.refusal.details);
}

function replayed(id: string, status: TaskStatus | undefined): OnceOutcome {
  return { kind: 'replayed', id, status };
}

function answerAccepted(accepted: AcceptedTask, headers: Readonly<Record<string, string>>): Response {
  return answerJson(accepted, 202, {
    ...headers,
    location: accepted.statusUrl,
    ...(accepted.replayed === true && { 'idempotency-replayed': 'true' }),
  });
}
