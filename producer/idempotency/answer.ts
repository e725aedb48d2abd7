/** What a client is told of a submission under a key. */
import type { NewTask } from '../../shared/message/task-message.ts';
import { expectationOf } from '../accept/expectation.ts';
import { statusUrlOf } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Runtime } from '../runtime.ts';
import type { AcceptedTask } from '../schema/submission.ts';
import { GROUP_CLOSED, NOT_ACCEPTED } from '../submission/submission.ts';
import type { OnceOutcome } from './accept-once.ts';

export type OnceAnswer =
  | { readonly ok: true; readonly accepted: AcceptedTask }
  | { readonly ok: false; readonly refusal: Refusal };

export function answerOfOutcome(runtime: Runtime, outcome: OnceOutcome, now: number): OnceAnswer {
  switch (outcome.kind) {
    case 'accepted':
      return { ok: true, accepted: acceptedTask(runtime, outcome.task, now) };
    case 'replayed':
      return {
        ok: true,
        accepted: {
          id: outcome.id,
          status: outcome.status ?? 'queued',
          statusUrl: statusUrlOf(runtime, outcome.id),
          replayed: true,
        },
      };
    case 'differs':
      return { ok: false, refusal: reusedKey(outcome.fields) };
    case 'group-closed':
      return { ok: false, refusal: GROUP_CLOSED };
    case 'unavailable':
      return { ok: false, refusal: NOT_ACCEPTED };
  }
}

export function acceptedTask(
  runtime: Runtime,
  { id, service, runAt }: Pick<NewTask, 'id' | 'service' | 'runAt'>,
  now: number,
): AcceptedTask {
  const status = runAt === undefined ? 'queued' : 'scheduled';
  return { id, status, statusUrl: statusUrlOf(runtime, id), ...expectationOf(runtime, service, runAt, now) };
}

function reusedKey(fields: readonly string[]): Refusal {
  const detail = `The key was used for a submission that differs in ${fields.join(', ')}. Use another key for another task.`;
  const reason = 'differs from the submission that was made under this key';
  return { code: 'idempotency-key-reused', details: { detail, errors: fields.map((field) => ({ field, reason })) } };
}
