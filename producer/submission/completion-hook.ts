/**
 * The hook of a task or a group, from what was asked for to what is kept: refused where it leads to an address that Tasklane
 * does not call, and given the name of the service whose tasks its messages are.
 */
import { type BoundHook, boundHook, type Hook, hookUrlProblem } from '../../shared/webhook/hook.ts';
import { statusUrlOf } from '../answer/answer.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { Runtime } from '../runtime.ts';

export type HookResult =
  | { readonly ok: true; readonly hook: BoundHook | undefined }
  | { readonly ok: false; readonly refusal: Refusal };

/** @param field where the request has it @param linkBase what the id of the task or group is put behind */
export async function bindHook(
  runtime: Runtime,
  owner: string,
  hook: Hook | undefined,
  { field = '/onComplete/url', linkBase = statusUrlOf(runtime, '') } = {},
): Promise<HookResult> {
  if (hook === undefined) return { ok: true, hook: undefined };
  const reason = hookUrlProblem(hook.url, runtime.config.allowsPrivateTargets, runtime.config.publicUrl);
  if (reason === undefined) return { ok: true, hook: await boundHook(hook, owner, linkBase) };
  const details = { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
