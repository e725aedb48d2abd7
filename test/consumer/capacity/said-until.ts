/** What polls say of how long tasks of the house wait, beside when their calls start. */
import { env } from 'cloudflare:workers';
import { opensAtOf, taskSummary } from '../../../producer/view/task-view.ts';
import { RATE_IS_OLD_MS, readLinePosition } from '../../../shared/store/parking.ts';
import { readTask } from '../../../shared/store/read.ts';
import { START } from '../../protocol/clock.ts';
import type { House } from '../../protocol/house.ts';

export interface Said {
  readonly at: number;
  readonly id: string;
  readonly until: number | undefined;
}

/** Polls some of the tasks that wait, every other second; fills what it returns while the house lives. */
export function watchPolls(house: House, seconds: number): readonly Said[] {
  const said: Said[] = [];
  for (let second = 1; second < seconds; second += 2) {
    house.plan(START + second * 1_000, async () => {
      const waiting = (await house.rows()).filter(({ status }) => status === 'deferred');
      for (const { id } of waiting.filter((_, index) => index % 20 === 0)) {
        const until = await house.clock.outside(untilOf(id));
        said.push({ at: Date.now(), id, until });
      }
    });
  }
  return said;
}

async function untilOf(id: string): Promise<number | undefined> {
  const now = Date.now();
  const row = await readTask(env.DB, id);
  if (row === undefined) throw new Error(`there is no task ${id}`);
  if (row.parked_for === null) return undefined;
  const line = await readLinePosition(env.DB, row.parked_for, row, now - RATE_IS_OLD_MS);
  const view = taskSummary(row, '', { at: now, position: { ...line, opensAt: opensAtOf(row, [line], now) } });
  return view.waitingFor?.until === undefined ? undefined : Date.parse(view.waitingFor.until);
}

/** By more than a fifth of the time, and a few seconds. */
export function isOff(house: House, { at, id, until = 0 }: Said, slackMs: number): boolean {
  const startedAt = house.backend.callsOf(id).find((call) => call.startedAt >= at)?.startedAt ?? at;
  return Math.abs(until - startedAt) > 0.2 * (startedAt - at) + slackMs;
}
