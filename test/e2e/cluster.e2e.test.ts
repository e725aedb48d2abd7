/** Example servers under agents, each a process of its own, against the real local run. `npm run bench:cluster` is the long version. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runChurn } from '../../bench/cluster/churn.ts';
import { MAX_CONCURRENCY } from '../../bench/cluster/machine.ts';
import { runReplacement } from '../../bench/cluster/replacement.ts';
import { SERVICE, Stage } from '../../bench/cluster/stage.ts';
import { runTakeOver } from '../../bench/cluster/take-over.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.clear());
afterAll(() => stage?.[Symbol.asyncDispose]());

const quiet = () => {};

describe('agents beside servers', () => {
  it('register what is there, with its version, and leave in order', async () => {
    const machine = await stage.addMachine({ name: 'one', conduct: { version: '1.0.0' } });
    const mine = async () => (await stage.servers()).find(({ url }) => url === machine.url);
    expect(await mine()).toMatchObject({
      state: 'healthy',
      isHeartbeatLeader: true,
      services: [{ name: SERVICE, version: '1.0.0' }],
    });
    const from = machine.lines.length;
    await machine.set({ version: '1.1.0' });
    await machine.says('updated', { from });
    expect((await mine())?.services).toMatchObject([{ version: '1.1.0' }]);
    await machine.retire();
    expect(await mine()).toBeUndefined();
    expect(machine.lines.slice(-3).map(({ event }) => event)).toEqual(['drained', 'deregistered', 'stopped']);
  });

  // How soon is a matter of virtual time: test/agent/leadership.unit.test.ts.
  it('have another leader, one only, when theirs dies, and are back when the coordinator is', async () => {
    expect(await runTakeOver(stage)).toMatchObject({ leadersAtOnce: 1 });
  });

  it('finish every task while one server dies, one comes, one is drained and one becomes slow', async () => {
    const TASKS = 600;
    const { tasks, servers, callsAfterDrain } = await runChurn(stage, TASKS, quiet);
    expect(tasks).toMatchObject({ total: TASKS, succeeded: TASKS, failed: 0 });
    expect(callsAfterDrain).toBe(0);
    for (const { name, calls } of servers) expect(calls, name).toBeGreaterThan(0);
  });

  it('are replaced one after the other without a failed task or request', async () => {
    const TASKS = 300;
    const { tasks, requests, failedRequests, byVersion, mostInFlight } = await runReplacement(stage, TASKS, quiet);
    expect(tasks).toMatchObject({ total: TASKS, succeeded: TASKS, failed: 0 });
    expect(failedRequests).toEqual([]);
    expect(requests).toBeGreaterThan(50);
    expect(mostInFlight).toBeLessThanOrEqual(MAX_CONCURRENCY);
    expect(Object.keys(byVersion).sort()).toEqual(['1.0.0', '2.0.0']);
  });
});
