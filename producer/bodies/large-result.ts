/**
 * Results of backends that are too large for a row: stored first, then reported. A request that may not
 * report stores nothing, and what was stored and is not taken is deleted.
 */
import { deleteBodies } from '../../shared/bodies/delete-bodies.ts';
import { newResultKey, ownerOf } from '../../shared/bodies/object-key.ts';
import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import type { SecretsHolder } from '../../shared/key/report-token.ts';
import type { CallbackReport, LedgerAnswer, Reporter } from '../../shared/ledger/rpc.ts';
import type { StoredBody } from '../../shared/task/stored-body.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

export interface Reporting {
  readonly id: string;
  readonly token: string;
  /** Who can take the call's secrets out of what is reported. */
  readonly holder: SecretsHolder | undefined;
}

type Answer = LedgerAnswer | typeof UNAVAILABLE;

export type Stored =
  | { readonly ok: true; readonly body: StoredBody }
  | { readonly ok: false; readonly refusal: Response };

/** @param store puts the result under this name, or refuses it */
export async function reportLarge(
  runtime: Runtime,
  { id, token }: Reporting,
  store: (key: string) => Promise<Stored>,
): Promise<Answer | Response> {
  const may = await mayReport(runtime, { id, token });
  if (may === UNAVAILABLE || !may.ok) return may;
  const key = newResultKey(id);
  const stored = await callUpstream('bucket', () => store(key));
  if (stored === UNAVAILABLE) return UNAVAILABLE;
  if (!stored.ok) return stored.refusal;
  return reportStored(runtime, { id, token }, stored.body);
}

/** @param body that this report alone leads to */
export async function reportStored({ config }: Runtime, { id, token }: Reporter, body: StoredBody): Promise<Answer> {
  const report = reportOfStored({ id, token }, body);
  const answer = await callUpstream('callback', () => config.callback.acceptCallback(report));
  // Without an answer it may have been taken: then it stays, or is found as an orphan.
  if (answer !== UNAVAILABLE && !(answer.ok && answer.changed)) await deleteBodies(config.bodies, [body.key]);
  return answer;
}

/** @returns undefined when there is no such upload for the task */
export async function reportUploaded(
  runtime: Runtime,
  { id, token }: Reporting,
  upload: string,
): Promise<Answer | undefined> {
  const { callback, bodies } = runtime.config;
  const owner = ownerOf(upload);
  if (owner?.kind !== 'task' || owner.task !== id || owner.isPayload) return undefined;
  const may = await mayReport(runtime, { id, token });
  if (may === UNAVAILABLE || !may.ok) return may;
  const object = await callUpstream('bucket', async () => bodies?.head(upload) ?? null);
  if (object === UNAVAILABLE) return UNAVAILABLE;
  if (object === null) return undefined;
  const report = reportOfStored({ id, token }, storedBodyOf(object));
  return callUpstream('callback', () => callback.acceptCallback(report));
}

export function mayReport({ config }: Runtime, { id, token }: Reporter): Promise<Answer> {
  return callUpstream('callback', () => config.callback.mayReport({ id, token }));
}

function reportOfStored({ id, token }: Reporter, storedResult: StoredBody): CallbackReport {
  return { id, token, report: { status: 'succeeded', storedResult } };
}
