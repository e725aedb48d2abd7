/** Deploys of the real Workers against the stub, a bounded selection of faults, and what was deployed, run. */
import { beforeAll, describe, expect, it } from 'vitest';
import { readPlan } from '../../deploy/plan/plan-files.ts';
import { buildUploads, type Uploads } from '../../deploy/upload/build-uploads.ts';
import { runTaskThrough } from '../../rehearse/live.ts';
import { faultsFor } from '../../rehearse/matrix.ts';
import { rehearseScenario, tryFault } from '../../rehearse/rehearse.ts';
import { hollow, SCENARIOS } from '../../rehearse/scenario.ts';

let uploads: Uploads;
let light: Uploads;

beforeAll(async () => {
  uploads = await buildUploads(readPlan({ shards: 1 }), 'rehearsal-test');
  light = await hollow(uploads);
});

describe.each(SCENARIOS.map((scenario, round) => [scenario.name, scenario, round] as const))(
  '%s',
  (_name, scenario, round) => {
    it('comes to the same end whatever fails on the way', async () => {
      const rehearsal = await rehearseScenario(scenario, light);
      const faults = faultsFor(rehearsal, 'some', round);
      expect(faults.length).toBeGreaterThan(0);
      for (const fault of faults) {
        const run = await tryFault(rehearsal, fault, light);
        expect(run.problems, `${fault.kind} at ${run.call}`).toEqual([]);
      }
    });
  },
);

it('what is deployed, grown and shrunk takes tasks', async () => {
  const scenario = SCENARIOS.find(({ name }) => name === 'shrink to 1 shard with messages')!;
  const { after } = await rehearseScenario(scenario, uploads);
  expect([...after.scripts.keys()].sort()).toEqual(['tasklane-callback', 'tasklane-consumer-0', 'tasklane-producer']);
  await runTaskThrough(after, 'tasklane', scenario.stage.environment.JWT_SECRET!);
});

it('stores that drain go when they are empty, and stay as long as they have a task', async () => {
  const databasesAfter = async (name: string) => {
    const { after } = await rehearseScenario(SCENARIOS.find((scenario) => scenario.name === name)!, light);
    return [...after.databases.values()].map((database) => database.name).sort();
  };
  const two = ['tasklane', 'tasklane-store-1'];
  expect(await databasesAfter('take away empty stores')).toEqual(two);
  expect(await databasesAfter('keep a draining store with a task')).toEqual([...two, 'tasklane-store-3']);
});

it('a second deploy of the same changes no Worker, queue or database', async () => {
  const { calls } = await rehearseScenario(SCENARIOS.find(({ name }) => name === 'the same again')!, light);
  const changes = calls.filter(({ changes: isChange }) => isChange);
  expect(changes.every(({ method, path }) => method === 'PATCH' && path.endsWith('/secrets-bulk'))).toBe(true);
});
