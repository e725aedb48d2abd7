/**
 * Tells an administrator's receiver of an alert, signed as "Standard Webhooks" has it. A message keeps its id
 * however often it is sent, so that a receiver knows a repeat.
 */
import { isOwnAddress } from '../../shared/service/own-address.ts';
import { targetProblem } from '../../shared/service/target.ts';
import { ownerSecrets, signedHeaders } from '../../shared/webhook/signature.ts';
import type { Config } from '../env.ts';
import { ALERT_UNITS } from '../schema/alert-kinds.ts';
import type { Alert } from './alert.ts';

export interface AlertMessage {
  readonly id: string;
  readonly type: 'alert.firing' | 'alert.resolved' | 'alert.test';
  /** When it was said, Unix ms. */
  readonly at: number;
  readonly alert: Pick<Alert, 'name' | 'kind' | 'target' | 'value' | 'summary' | 'remedy' | 'since'>;
}

export type Delivery = { readonly ok: true; readonly status: number } | { readonly ok: false; readonly why: string };

/** No client's subject has a control character, so no client's secret is this one. */
const OWNER = '\u0000alerts';

const TIMEOUT_MS = 10_000;

/** What the receiver verifies with, the current one first. */
export function alertSecrets({ webhookSecrets }: Config): Promise<string[]> {
  return ownerSecrets(webhookSecrets, OWNER);
}

/** What is wrong with an address as a receiver; undefined: nothing. */
export function receiverProblem(url: string, { allowsPrivateTargets, publicUrl }: Config): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null) return 'is not a URL';
  if (isOwnAddress(parsed.origin, publicUrl)) return 'is this deployment itself';
  // A receiver's address may have a query; what else a target may not be, it may not either.
  parsed.search = '';
  return targetProblem(parsed.href, allowsPrivateTargets);
}

export async function deliver(config: Config, url: string, message: AlertMessage): Promise<Delivery> {
  const problem = receiverProblem(url, config);
  if (problem !== undefined) return { ok: false, why: problem };
  const { id, type, at, alert } = message;
  // An alert of the round holds more than a receiver is to build on.
  const { name, kind, target, value, summary, remedy, since } = alert;
  const body = JSON.stringify({
    type,
    timestamp: new Date(at).toISOString(),
    data: {
      name,
      kind,
      target,
      value,
      unit: ALERT_UNITS[kind],
      summary,
      remedy,
      since: new Date(since).toISOString(),
      ...(config.publicUrl && { dashboard: `${config.publicUrl}/dashboard#/alerts` }),
    },
  });
  try {
    const headers = await signedHeaders(config.webhookSecrets, OWNER, { id, at: Date.now(), body });
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'Tasklane', ...headers },
      body,
      // A redirect could lead where the address itself may not.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? { ok: true, status: response.status } : { ok: false, why: `it answered ${response.status}` };
  } catch (error) {
    return {
      ok: false,
      why:
        error instanceof Error && error.name === 'TimeoutError'
          ? 'it did not answer within 10 s'
          : 'it cannot be reached',
    };
  }
}
