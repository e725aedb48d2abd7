/** Tasks brought to where many schedules begin. */
import { expect } from 'vitest';
import type { NewTask } from '../../shared/message/task-message.ts';
import { accepted, status } from './backend.ts';
import type { House } from './house.ts';
import type { Order } from './order.ts';

/** Of every service of the house. */
export const CALLBACK_TIMEOUT_MS = 300_000;
/** Of a call of the usual time-out that waits for no turn. */
export const LEASE_MS = 61_000;

export const SUCCESS = { status: 'succeeded' } as const;
/** What a backend reports of a task that it accepted and could not do. */
export const FAILURE = { status: 'failed', message: 'out of paper', retryable: true } as const;

/** A task whose backend accepted it and has not called back: waiting, its letter acked. */
export async function waitingTask(house: House, order: Order = {}): Promise<NewTask> {
  const task = await house.submit(order);
  house.backend.answer(task.id, accepted());
  await house.deliver();
  expect(await house.row(task.id)).toMatchObject({ status: 'waiting' });
  expect(house.post.waiting()).toEqual([]);
  return task;
}

export async function failedTask(house: House): Promise<NewTask> {
  const task = await house.submit();
  house.backend.answer(task.id, status(400));
  await house.deliver();
  expect(await house.row(task.id)).toMatchObject({ status: 'failed' });
  return task;
}

export const latestCall = (house: House, id: string) => house.backend.callsOf(id).at(-1)!;
