/** What agents do when their leader dies, and when the coordinator goes and comes back. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './machine.ts';
import { HEARTBEAT_SECONDS, type Stage } from './stage.ts';

export interface TakeOverReport {
  /** From the death of the leader until another one leads. */
  readonly takeOverMs: number;
  /** From the coordinator's return until all servers are healthy and one of them leads. */
  readonly backMs: number;
  /** How often two said that they lead, seen between the two. */
  readonly leadersAtOnce: number;
}

const LOOK_MS = 20;
const GIVE_UP_MS = 60_000;

export async function runTakeOver(stage: Stage): Promise<TakeOverReport> {
  for (const name of ['one', 'two', 'three']) await stage.addMachine({ name });
  await sleep(2 * HEARTBEAT_SECONDS * 1000);
  const [leader, ...others] = [...stage.machines].sort((a, b) => Number(b.leads) - Number(a.leads));
  if (leader?.leads !== true) throw new Error('nobody leads');

  let leadersAtOnce = 0;
  const leading = () => others.filter(({ leads }) => leads);
  await leader.kill();
  const killedAt = Date.now();
  await until(async () => leading().length > 0);
  const takeOverMs = Date.now() - killedAt;

  // As long again: nobody else takes over as well.
  for (let look = 0; look < (2 * HEARTBEAT_SECONDS * 1000) / LOOK_MS; look++) {
    leadersAtOnce = Math.max(leadersAtOnce, leading().length);
    await sleep(LOOK_MS);
  }

  await stage.restart();
  const returnedAt = Date.now();
  const before = new Map((await stage.servers()).map(({ url, lastHeardAt }) => [url, lastHeardAt]));
  await until(() => areBack(stage, others, before));
  return { takeOverMs, backMs: Date.now() - returnedAt, leadersAtOnce };
}

/** Each had contact since the coordinator came back with its snapshot. */
async function areBack(
  stage: Stage,
  machines: readonly Machine[],
  before: ReadonlyMap<string, string>,
): Promise<boolean> {
  const theirs = (await stage.servers()).filter(({ url }) => machines.some((machine) => machine.url === url));
  return (
    theirs.length === machines.length &&
    theirs.every(({ url, state, lastHeardAt }) => state === 'healthy' && lastHeardAt !== before.get(url)) &&
    theirs.filter(({ isHeartbeatLeader }) => isHeartbeatLeader).length === 1
  );
}

async function until(is: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = Date.now() + GIVE_UP_MS; Date.now() < giveUpAt; await sleep(LOOK_MS)) {
    if (await is()) return;
  }
  throw new Error(`did not come within ${GIVE_UP_MS / 1000} s`);
}
