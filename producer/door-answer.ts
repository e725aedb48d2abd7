/** From the callback Worker's answer to the client's. */
import type { DoorAnswer } from '../shared/ledger/door.ts';
import { answerJson, refuse, statusUrlOf, unauthenticated, unavailable } from './answer.ts';
import { UNREACHED } from './reach.ts';
import type { Runtime } from './runtime.ts';

/** Where the task stands after the request, or why the request was refused. */
export function answerStanding(runtime: Runtime, id: string, answer: DoorAnswer | typeof UNREACHED): Response {
  if (answer === UNREACHED) return notReached();
  if (!answer.ok) return refuseAnswer(answer);
  return answerJson({ id, status: answer.status, statusUrl: statusUrlOf(runtime, id) });
}

export function notReached(): Response {
  return unavailable('Nothing is certain to have changed; the request may be repeated.');
}

export function refuseAnswer({ code, detail }: Extract<DoorAnswer, { ok: false }>): Response {
  return code === 'unauthenticated' ? unauthenticated(detail, true) : refuse(code, { detail });
}
