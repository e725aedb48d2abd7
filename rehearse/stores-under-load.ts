/**
 * A deployment that grows from one store to four, shrinks to two and loses the two that are empty, while tasks are
 * submitted to the Workers that are deployed at each moment. Every task that was accepted ends, in a store of its time.
 */

import type { Uploads } from '../deploy/upload/build-uploads.ts';
import { startExample } from '../local/example-process.ts';
import { storeOfTask } from '../shared/task/id.ts';
import { LiveAccount } from './live-account.ts';
import { type Load, startLoad, untilAllEnded } from './load.ts';
import { StageRun, succeed } from './rehearse.ts';
import { ageDrainingStores, DEPLOYMENT, SECRETS, type Stage, storeName } from './scenario.ts';

export interface GrowthReport {
  readonly accepted: number;
  readonly interrupted: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** In which stores the tasks of each phase are. */
  readonly stores: Readonly<Record<'one' | 'four' | 'two', readonly number[]>>;
  /** Databases at the end. */
  readonly left: readonly string[];
}

const STORES = [0, 1, 2, 3];
const ENDED_WITHIN_MS = 60_000;
const MET_WITHIN_MS = 30_000;

/** @param tasks accepted in each phase at least */
export async function growAndShrink(uploads: Uploads, tasks: number): Promise<GrowthReport> {
  const backend = await startExample('backend', () => {});
  await using account = new LiveAccount({
    deployment: DEPLOYMENT,
    // The local queue lives in memory: what is accepted is recorded first, so that it survives an exchange of the runtime.
    vars: {
      ACCEPT: 'queue+record',
      ALLOW_PRIVATE_TARGETS: 'true',
      SERVICES: { quick: { baseUrl: backend.url, path: '/quick' } },
    },
    databases: STORES.map(storeName),
  });
  try {
    const deploy = (stores: number) => {
      const stage: Stage = { request: { stores }, environment: SECRETS };
      return succeed({ name: `${stores} stores under load` }, new StageRun(account, stage, uploads));
    };
    await deploy(1);
    await account.serve();
    const load = await startLoad(account, SECRETS.JWT_SECRET, 'quick');
    try {
      const one = await load.more(tasks);
      await deploy(4);
      const four = await moreUntilMet(load, 4 * tasks, STORES.length);
      await deploy(2);
      const from = load.accepted.length;
      const two = await moreUntilMet(load, 2 * tasks, 2);
      // As after a month: what the stores that drain hold has ended, its retention took it, and no queue holds more.
      await untilAllEnded(account, load.accepted.slice(0, from), ENDED_WITHIN_MS);
      const before = load.accepted.slice(0, from);
      const going = before.filter((id) => storeOfTask(id) >= 2);
      for (const { uuid, name } of account.stores()) {
        if (name === storeName(2) || name === storeName(3)) await account.query(uuid, 'DELETE FROM tasks', []);
      }
      await ageDrainingStores(account);
      await deploy(2);
      await load.more(tasks);
      await load.stop();
      const left = account.stores().map(({ name }) => name);
      const staying = load.accepted.filter((id) => !going.includes(id));
      const statuses = await untilAllEnded(account, staying, ENDED_WITHIN_MS);
      if (load.refusals.length > 0) throw new Error(`submissions were refused: ${load.refusals[0]}`);
      return {
        accepted: load.accepted.length,
        interrupted: load.interrupted,
        statuses: { ...statuses, succeeded: (statuses.succeeded ?? 0) + going.length },
        stores: { one: storesOf(one), four: storesOf(four), two: storesOf(two) },
        left,
      };
    } finally {
      await load.stop();
    }
  } finally {
    await backend.stop();
  }
}

/**
 * So many tasks, and more until so many stores were met: which one is filled changes each quarter of a second, by chance,
 * and six quick batches in a row may all go to one of two.
 */
async function moreUntilMet(load: Load, tasks: number, stores: number): Promise<readonly string[]> {
  const until = Date.now() + MET_WITHIN_MS;
  const ids = [...(await load.more(tasks))];
  while (storesOf(ids).length < stores && Date.now() < until) ids.push(...(await load.more(1)));
  return ids;
}

/** For a person's eyes. */
export function growthLines({ accepted, interrupted, statuses, stores, left }: GrowthReport): string[] {
  return [
    `tasks went to store ${stores.one.join(', ')}, then to ${stores.four.join(', ')}, then to ${stores.two.join(', ')}`,
    `${accepted} tasks were accepted, ${statuses.succeeded ?? 0} of them succeeded`,
    `left are ${left.join(', ')}`,
    `${interrupted} submissions had no answer, because the local runtime was exchanged`,
  ];
}

/** @returns what is wrong; empty when all is as it should be */
export function faultsOfGrowth({ accepted, statuses, stores, left }: GrowthReport): string[] {
  const expected = { one: '0', four: '0,1,2,3', two: '0,1' };
  return [
    ...Object.entries(expected).flatMap(([phase, all]) => {
      const met = stores[phase as keyof typeof expected].join();
      return met === all ? [] : [`with ${phase} tasks went to the stores ${met}, not ${all}`];
    }),
    ...(statuses.succeeded === accepted ? [] : [`of ${accepted} tasks ended ${JSON.stringify(statuses)}`]),
    ...(left.join() === [storeName(0), storeName(1)].join() ? [] : [`left are ${left.join(', ')}`]),
  ];
}

function storesOf(ids: readonly string[]): number[] {
  return [...new Set(ids.map(storeOfTask))].sort((a, b) => a - b);
}
