/**
 * Accepting tasks that bring an idempotency key.
 *
 * Guarantee: of any number of submissions under one key of an owner, at once or one after the other, over any
 * number of isolates, one task comes to be, as long as it has not ended without success. What is answered as
 * accepted has a carrier all the same: the key is claimed before the task is sent, and who repeats a submission
 * whose task is not recorded yet sends it again under its first id, because the first sender may have died in
 * between. Messages are only wake-ups (rule R2): a second one makes no second task.
 */
import type { NewTask } from '../../shared/message/task-message.ts';
import { claimKeys, type KeyRow, readKeys, takeKeyOver } from '../../shared/store/idempotency.ts';
import { readStates } from '../../shared/store/read.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { type TaskStatus, TERMINAL_STATUSES } from '../../shared/task/status.ts';
import { acceptTasks } from '../accept/accept.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { differences, type Fields } from './fields.ts';

export interface KeyedTask {
  readonly key: string;
  readonly fields: Fields;
  /** The task under this id, as if created then: it may turn out that it was submitted before. */
  readonly taskAs: (id: string, createdAt: number) => NewTask;
  /** The id that it gets when the key is new. */
  readonly newId: string;
}

export type OnceOutcome =
  | { readonly kind: 'accepted'; readonly id: string; readonly task: NewTask }
  /** Submitted before: `status` is undefined while the task is not recorded. */
  | { readonly kind: 'replayed'; readonly id: string; readonly status: TaskStatus | undefined }
  /** Submitted before with another body. */
  | { readonly kind: 'differs'; readonly fields: readonly string[] }
  /** Its group takes no more tasks. */
  | { readonly kind: 'group-closed' }
  /** Nothing is promised. */
  | { readonly kind: 'unavailable' };

/** Whether the key led to another task than the one that was to be made under `id`. */
export function isOfAnother(outcome: OnceOutcome, id: string): boolean {
  return outcome.kind === 'differs' || (outcome.kind === 'replayed' && outcome.id !== id);
}

const UNCERTAIN: OnceOutcome = { kind: 'unavailable' };

const FREES_THE_KEY: ReadonlySet<TaskStatus> = new Set(TERMINAL_STATUSES.filter((status) => status !== 'succeeded'));

/** Keys that change hands this often while they are looked at are not met by clients. */
const MAX_LOOKS = 3;

/** @param items of one owner; several may have the same key */
export async function acceptOnce(
  runtime: Runtime,
  subject: string,
  items: readonly KeyedTask[],
  now: number,
): Promise<OnceOutcome[]> {
  const decisions = new Map<KeyedTask, Decision>();
  for (let look = 0; look < MAX_LOOKS && decisions.size < items.length; look++) {
    const open = items.filter((item) => !decisions.has(item));
    const decided = await callUpstream('database', () => decide(runtime, subject, open, decisions, now));
    if (decided === UNAVAILABLE) break;
  }
  // Of several items under one key the first sends the task.
  const sent = new Map<string, NewTask>();
  for (const { send } of decisions.values()) if (send !== undefined && !sent.has(send.id)) sent.set(send.id, send);
  const accepted = await acceptTasks(runtime, [...sent.values()]);
  const answers = new Map([...sent.keys()].map((id, index) => [id, accepted[index] ?? false]));
  return items.map((item) => {
    const outcome = decisions.get(item)?.outcome ?? UNCERTAIN;
    const answer = 'id' in outcome ? (answers.get(outcome.id) ?? true) : true;
    if (answer === 'group-closed') return { kind: 'group-closed' };
    return answer ? outcome : UNCERTAIN;
  });
}

interface Decision {
  readonly outcome: OnceOutcome;
  /** Must be sent before the outcome holds. */
  readonly send?: NewTask;
}

/** Decides what can be decided; an item whose key changes hands meanwhile is left for another look. */
async function decide(
  runtime: Runtime,
  subject: string,
  items: readonly KeyedTask[],
  decisions: Map<KeyedTask, Decision>,
  now: number,
): Promise<void> {
  const { stores, idempotencyMs } = runtime.config;
  const expiresAt = now + idempotencyMs;
  const won = await claimKeys(stores.control, subject, items.map(claimOf), now, expiresAt);
  const others = items.filter(({ newId }) => !won.has(newId)).map(({ key }) => key);
  const known = await readKeys(stores.control, subject, others);
  const statuses = await statusesOf(runtime, [...known.values()]);
  for (const item of items) {
    const row = won.has(item.newId) ? undefined : known.get(item.key);
    if (won.has(item.newId) || row?.id === item.newId) {
      decisions.set(item, created(item, now));
    } else if (row !== undefined) {
      const status = statuses.get(row.id);
      if (status === undefined || !FREES_THE_KEY.has(status)) decisions.set(item, repeated(item, row, status));
      else if (await takeKeyOver(stores.control, subject, claimOf(item), row.id, expiresAt)) {
        decisions.set(item, created(item, now));
      }
    }
  }
}

async function statusesOf({ config: { stores } }: Runtime, rows: readonly KeyRow[]): Promise<Map<string, TaskStatus>> {
  const ids = rows.map(({ id }) => id).filter((id) => stores.has(id));
  const states = await stores.collect(
    ids,
    (id) => id,
    async (db, group) => [...(await readStates(db, group)).values()],
  );
  return new Map(states.map(({ id, status }) => [id, status]));
}

function claimOf({ key, newId: id, fields }: KeyedTask) {
  return { key, id, fields: JSON.stringify(fields) };
}

function created({ newId: id, taskAs }: KeyedTask, now: number): Decision {
  const task = taskAs(id, now);
  return { outcome: { kind: 'accepted', id, task }, send: task };
}

function repeated(item: KeyedTask, { id, fields }: KeyRow, status: TaskStatus | undefined): Decision {
  const different = differences(JSON.parse(fields) as Fields, item.fields);
  if (different.length > 0) return { outcome: { kind: 'differs', fields: different } };
  const outcome: OnceOutcome = { kind: 'replayed', id, status };
  return status === undefined ? { outcome, send: item.taskAs(id, taskCreatedAt(id)) } : { outcome };
}
