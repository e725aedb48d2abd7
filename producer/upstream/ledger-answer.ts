/** From the callback Worker's answer to the client's. */
import type { Context } from 'hono';
import type { LedgerAnswer } from '../../shared/ledger/rpc.ts';
import { answerJson, refuse, statusUrlOf, unauthenticated, unavailable } from '../answer/answer.ts';
import type { AppEnv } from '../app.ts';
import { refuseToken } from '../caller/wrong-token.ts';
import type { Runtime } from '../runtime.ts';
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

/** Of a backend's report. @param answer a response that says more, or the ledger's word */
export async function answerReport(
  c: Context<AppEnv>,
  id: string,
  answer: LedgerAnswer | typeof UNAVAILABLE | Response,
): Promise<Response> {
  if (answer instanceof Response) return answer;
  if (answer === UNAVAILABLE) return ledgerUnavailable();
  if (answer.ok) return answerJson({ id, status: answer.status, changed: answer.changed });
  const { code, detail } = answer;
  return code === 'unauthenticated' ? refuseToken(c, detail) : refuse(code, { detail });
}

function ledgerUnavailable(): Response {
  return unavailable('Nothing is certain to have changed; the request may be repeated.');
}

function refuseAnswer({ code, detail }: Extract<LedgerAnswer, { ok: false }>): Response {
  return code === 'unauthenticated' ? unauthenticated(detail, true) : refuse(code, { detail });
}
