/** From a body that pauses something to the pause, or what is wrong with it. Pure. */
import type { ServicePause } from '../../shared/registry/rpc.ts';
import type { Refusal } from '../answer/refusal.ts';

export function pauseOf(
  { until, reason }: { readonly until?: string | undefined; readonly reason?: string | undefined },
  now: number,
): { readonly ok: true; readonly pause: ServicePause } | { readonly ok: false; readonly refusal: Refusal } {
  const untilMs = until === undefined ? undefined : Date.parse(until);
  if (untilMs === undefined || untilMs > now) return { ok: true, pause: { until: untilMs, reason } };
  const why = 'is in the past; leave it out to pause without an end';
  const details = { detail: `/until: ${why}`, errors: [{ field: '/until', reason: why }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
