/** Tasks run while one server dies, one comes, one is drained and one becomes slow. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerReport } from '../../examples/server/server.ts';
import type { ServerEntry, Stage, TaskCounts } from './stage.ts';

export interface ChurnReport {
  readonly tasks: TaskCounts;
  readonly tookMs: number;
  /** Of the servers that still live, and of the one that died as it last was. */
  readonly servers: readonly ServerReport[];
  /** Calls that reached the drained server after it was reported as drained. */
  readonly callsAfterDrain: number;
}

const CONDUCT = { latencyMs: 30, jitterMs: 10 };
const SLOW = { latencyMs: 600, jitterMs: 100 };
const LOOK_MS = 50;

/** What happens, when so large a part of the tasks has ended. */
const AT = { kill: 0.15, add: 0.3, drain: 0.45, slow: 0.6 };

export async function runChurn(stage: Stage, tasks: number, say: (text: string) => void): Promise<ChurnReport> {
  const [one, two, three] = await Promise.all(
    ['one', 'two', 'three'].map((name) => stage.addMachine({ name, conduct: CONDUCT })),
  );
  if (one === undefined || two === undefined || three === undefined) throw new Error('three machines were asked for');
  const startedAt = Date.now();
  await stage.submit(tasks);
  const reached = async (share: number) => {
    while ((await stage.counts()).succeeded < share * tasks) await sleep(LOOK_MS);
  };

  await reached(AT.kill);
  const dead = await one.report();
  await one.kill();
  say(`one was killed (kill -9) after ${dead.calls} calls`);

  await reached(AT.add);
  const four = await stage.addMachine({ name: 'four', conduct: CONDUCT });
  say('four came');

  await reached(AT.drain);
  const drainedAfter = await drain(stage, two.url);
  const atDrain = (await two.report()).calls;
  say(`two was drained within ${(drainedAfter / 1000).toFixed(1)} s`);

  await reached(AT.slow);
  await three.set(SLOW);
  say(`three is slow now, ${SLOW.latencyMs} ms instead of ${CONDUCT.latencyMs} ms`);

  const counts = await stage.allEnded(tasks, 180_000);
  const tookMs = Date.now() - startedAt;
  const servers = [dead, ...(await Promise.all([two, three, four].map((machine) => machine.report())))];
  return { tasks: counts, tookMs, servers, callsAfterDrain: (servers[1]?.calls ?? 0) - atDrain };
}

/** @returns how long it took */
async function drain(stage: Stage, url: string): Promise<number> {
  const startedAt = Date.now();
  const server = (await stage.servers()).find((each) => each.url === url);
  if (server === undefined) throw new Error(`${url} is not registered`);
  await stage.call('admin', 'POST', `/api/servers/${server.id}/maintenance`, { enabled: true });
  for (;;) {
    const { state } = await stage.call<ServerEntry>('admin', 'GET', `/api/servers/${server.id}`);
    if (state === 'drained') return Date.now() - startedAt;
    await sleep(LOOK_MS);
  }
}
