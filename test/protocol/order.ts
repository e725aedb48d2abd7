/** What a client orders of the house, as the producer makes a task of it. */
import { env } from 'cloudflare:workers';
import { importMacKey } from '../../shared/crypto/mac.ts';
import { type NewTask, NewTaskSchema } from '../../shared/message/task-message.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import type { TaskRequest } from '../../shared/task/request.ts';
import { type BoundHook, boundHook, type Hook, HookSchema } from '../../shared/webhook/hook.ts';
import { DAY_MS } from './clock.ts';
import { RECEIVER_URL } from './receiver.ts';

const idKey = await importMacKey(env.ID_SECRET);

export interface Order {
  readonly service?: string;
  readonly maxAttempts?: number;
  readonly baseSeconds?: number;
  readonly capSeconds?: number;
  readonly deadlineMs?: number;
  readonly request?: TaskRequest;
  /** Whom its end is told to: the house's receiver. */
  readonly onComplete?: Partial<Hook>;
  readonly group?: string;
  /** Where its row is to be. */
  readonly store?: number;
}

/** @returns a hook of alice's at the house's receiver, as the producer makes it */
export function hookOf(hook: Partial<Hook>, linkBase = `${env.PUBLIC_URL}/api/task/`): Promise<BoundHook> {
  return boundHook(HookSchema.parse({ url: RECEIVER_URL, ...hook }), 'alice', linkBase);
}

export async function mintTask(order: Order): Promise<NewTask> {
  const { service = 'bound', maxAttempts = 8, baseSeconds = 2, capSeconds = 3600, deadlineMs = DAY_MS } = order;
  return NewTaskSchema.parse({
    id: await mintTaskId(idKey, 'alice', Date.now(), order.store ?? 0),
    subject: 'alice',
    service,
    policy: { maxAttempts, baseSeconds, capSeconds },
    deadlineAt: Date.now() + deadlineMs,
    request: order.request ?? { path: '/work' },
    ...(order.group !== undefined && { group: order.group }),
    ...(order.onComplete !== undefined && { onComplete: await hookOf(order.onComplete) }),
  });
}
