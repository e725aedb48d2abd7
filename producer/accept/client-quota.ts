/**
 * The quota of a client at a service that has one: asked before anything of a submission is kept. A service without a
 * quota asks nobody. When nobody answers, tasks are accepted: a quota is no reason to be away.
 */
import type { ClientQuota, QuotaState } from '../../shared/service/client-quota.ts';
import { quotaHeaders, violatedPolicies } from '../../shared/service/client-quota.ts';
import type { Services } from '../../shared/service/definition.ts';
import { refuse } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

export interface Admitted {
  /** How many of the tasks may be accepted. */
  readonly granted: number;
  readonly headers: Readonly<Record<string, string>>;
  /** What is said of the others. */
  readonly refusal: Refusal;
}

/** @returns undefined when nothing limits the client at this service */
export async function admitTasks(
  { config, services }: Runtime,
  subject: string,
  service: string,
  wanted: number,
): Promise<Admitted | undefined> {
  const quota = quotaOf(services.all, service);
  if (quota === undefined) return undefined;
  const state = await callUpstream('registry', () => config.registry.admitTasks(subject, service, quota, wanted));
  if (state === UNAVAILABLE) return undefined;
  return {
    granted: state.granted,
    headers: quotaHeaders(service, quota, state),
    refusal: refusalOf(service, quota, state),
  };
}

export function refuseByQuota({ headers, refusal }: Admitted): Response {
  return refuse(refusal.code, refusal.details, headers);
}

/** Whether anything limits clients at this service. */
export function hasQuota({ services }: Runtime, service: string): boolean {
  return quotaOf(services.all, service) !== undefined;
}

function quotaOf(services: Services, name: string): ClientQuota | undefined {
  return Object.hasOwn(services, name) ? services[name]?.perClient : undefined;
}

function refusalOf(service: string, { open, tasksPerMinute }: ClientQuota, state: QuotaState): Refusal {
  const detail =
    state.tasks === 0
      ? `${tasksPerMinute} tasks a minute are what a client may submit to ${service}.`
      : `${open} tasks of a client may be open at ${service} at a time; wait until some have ended.`;
  const retryAfterSeconds = Math.ceil(state.retryAfterSeconds);
  return {
    code: 'quota-exceeded',
    details: { detail, retryAfterSeconds, 'violated-policies': violatedPolicies(state) },
  };
}
