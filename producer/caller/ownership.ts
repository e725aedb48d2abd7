/**
 * Whose task an id is, before and after the database is asked. A client's forged or foreign id is
 * refused without a read; a row's owner is checked all the same. A role that may see every task sees
 * only those that are recorded, because an id alone does not tell whether it is real.
 */
import { isMessageId, isTaskIdOf, TASK_ID_PATTERN, taskCreatedAt } from '../../shared/task/id.ts';
import { refuse } from '../answer/answer.ts';
import type { Caller } from '../app.ts';
import { idKeyOf, type Runtime } from '../runtime.ts';
import { mayUse } from './limited-token.ts';

/** A task without a row is on its way for as long as a queue keeps a message: 4 days. */
const QUEUE_RETENTION_MS = 4 * 86_400_000;

/** True when asking the database about `id` makes sense for this principal. */
export async function mayName(runtime: Runtime, principal: Caller, id: string): Promise<boolean> {
  if (!TASK_ID_PATTERN.test(id) || !runtime.config.stores.has(id)) return false;
  return principal.scope === 'all' || isTaskIdOf(await idKeyOf(runtime), id, principal.subject);
}

interface Owned {
  readonly subject: string;
  /** Of a task that was cancelled before it was recorded: none. */
  readonly service: string;
}

/** Whether a task is in the reach of whoever asks: by its owner, and by what its token is limited to. */
export function owns(principal: Caller, { subject, service }: Owned): boolean {
  if (principal.scope !== 'all' && principal.subject !== subject) return false;
  return service === '' || mayUse(principal, service);
}

/** True when a task of this id may exist although no row does. `mayName` has said yes. */
export function mayBeUnrecorded(principal: Caller, id: string, now: number): boolean {
  return principal.scope !== 'all' && !isMessageId(id) && now - taskCreatedAt(id) < QUEUE_RETENTION_MS;
}

export function taskNotFound(): Response {
  return refuse('task-not-found', {
    detail: 'No task of yours has this id, or it was deleted when its retention ended.',
  });
}
