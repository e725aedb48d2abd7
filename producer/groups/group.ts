/** A group as routes deal with it: what is asked of its store, and of the callback Worker, which alone moves tasks. */
import { type GroupRow, readGroup, setGroupHook } from '../../shared/store/groups.ts';
import type { BoundHook } from '../../shared/webhook/hook.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, type UNAVAILABLE } from '../upstream/upstream.ts';
import { findGroup } from './admission.ts';

/** Where a group is seen. */
export function groupUrlOf({ config }: Runtime, id: string): string {
  return `${config.publicUrl ?? ''}/api/groups/${id}`;
}

/** @returns undefined for a group that there is not */
export async function lookAtGroup(runtime: Runtime, subject: string, name: string): Promise<GroupRow | undefined> {
  const db = await findGroup(runtime, subject, name);
  return db === undefined ? undefined : readGroup(db, { subject, name });
}

/** @returns false when the group has ended, or is not there */
export async function setHook(runtime: Runtime, subject: string, name: string, hook: BoundHook): Promise<boolean> {
  const db = await findGroup(runtime, subject, name);
  return db !== undefined && setGroupHook(db, { subject, name }, JSON.stringify(hook));
}

/** @returns the group as it stands now; undefined when there is none */
export async function changeGroup(
  runtime: Runtime,
  subject: string,
  name: string,
  act: 'close' | 'cancel',
): Promise<GroupRow | undefined | typeof UNAVAILABLE> {
  return callUpstream('callback', async () => {
    const db = await findGroup(runtime, subject, name);
    const store = runtime.config.stores.all.find((each) => each.db === db)?.number;
    if (store === undefined) return undefined;
    return runtime.config.callback.changeGroup({ subject, name, store, act });
  });
}
