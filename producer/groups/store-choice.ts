/** The store of a task that is to be accepted: that of its group, or the one whose turn it is. */
import type { Context } from 'hono';
import { chooseStore, STORAGE_FULL } from '../accept/store-choice.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { AppEnv } from '../app.ts';
import { GROUP_CLOSED, NOT_ACCEPTED } from '../submission/submission.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { enterGroup } from './admission.ts';

export type StoreFor =
  | { readonly ok: true; readonly store: number }
  | { readonly ok: false; readonly refusal: Refusal };

/** @param group its name; undefined: it belongs to none */
export async function chooseStoreFor(
  c: Context<AppEnv>,
  subject: string,
  group: string | undefined,
): Promise<StoreFor> {
  const choice = chooseStore(c);
  const candidate = choice instanceof Promise ? await choice : choice;
  if (candidate === undefined) return { ok: false, refusal: STORAGE_FULL };
  if (group === undefined) return { ok: true, store: candidate };
  const store = await callUpstream('database', () => enterGroup(c.env.runtime, subject, group, candidate));
  if (store === UNAVAILABLE) return { ok: false, refusal: NOT_ACCEPTED };
  if (store === 'full') return { ok: false, refusal: STORAGE_FULL };
  // Otherwise a group that stays open would keep the store from being removed.
  return store === 'leaving' ? { ok: false, refusal: GROUP_CLOSED } : { ok: true, store };
}
