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

/** One for each thing that happens, and one after the last: something always runs, however quick it goes. */
const PORTIONS = 5;

export async function runChurn(stage: Stage, tasks: number, say: (text: string) => void): Promise<ChurnReport> {
  const [one, two, three] = await Promise.all(
    ['one', 'two', 'three'].map((name) => stage.addMachine({ name, conduct: CONDUCT })),
  );
  if (one === undefined || two === undefined || three === undefined) throw new Error('three machines were asked for');
  const startedAt = Date.now();
  let submitted = 0;
  const nextPortion = async () => {
    const portion = Math.ceil((tasks - submitted) / PORTIONS);
    submitted += portion;
    await stage.submit(portion);
    while (stage.counts().succeeded < submitted - portion / 2) await sleep(LOOK_MS);
  };

  await nextPortion();
  const dead = await one.report();
  await one.kill();
  say(`one was killed (kill -9) after ${dead.calls} calls`);

  await nextPortion();
  const four = await stage.addMachine({ name: 'four', conduct: CONDUCT });
  say('four came');

  await nextPortion();
  const drainedAfter = await drain(stage, two.url);
  const atDrain = (await two.report()).calls;
  say(`two was drained within ${(drainedAfter / 1000).toFixed(1)} s`);

  await nextPortion();
  await three.set(SLOW);
  say(`three is slow now, ${SLOW.latencyMs} ms instead of ${CONDUCT.latencyMs} ms`);

  await stage.submit(tasks - submitted);
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
