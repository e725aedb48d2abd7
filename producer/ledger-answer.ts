/** From the callback Worker's answer to the client's. */
import type { LedgerAnswer } from '../shared/ledger/rpc.ts';
import { answerJson, refuse, statusUrlOf, unauthenticated, unavailable } from './answer.ts';
import type { Runtime } from './runtime.ts';
import { UNAVAILABLE } from './upstream.ts';

/** Where the task stands after the request, or why the request was refused. */
export function answerTaskStatus(runtime: Runtime, id: string, answer: LedgerAnswer | typeof UNAVAILABLE): Response {
  if (answer === UNAVAILABLE) return ledgerUnavailable();
  if (!answer.ok) return refuseAnswer(answer);
  const { status, deadlineAt } = answer;
  return answerJson({
    id,
    status,
    statusUrl: statusUrlOf(runtime, id),
    ...(deadlineAt !== undefined && { deadlineAt: new Date(deadlineAt).toISOString() }),
  });
}

export function ledgerUnavailable(): Response {
  return unavailable('Nothing is certain to have changed; the request may be repeated.');
}

function refuseAnswer({ code, detail }: Extract<LedgerAnswer, { ok: false }>): Response {
  return code === 'unauthenticated' ? unauthenticated(detail, true) : refuse(code, { detail });
}
