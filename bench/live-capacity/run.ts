/**
 * `npm run bench:capacity -- --live`: three of the rows through the real local run, against HTTP servers that
 * hold their keys to the limits. Keys stand eight to a shard, as `npm start` has them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openDatabaseFile } from '../../local/database-file.ts';
import { startLocal } from '../../local/runtime.ts';
import type { Row } from '../capacity/row.ts';
import { SECRETS, SERVICE, submitTasks, untilEnded } from '../keys/local-tasks.ts';
import { startLiveProvider } from './provider.ts';

export const LIVE_ROWS: readonly string[] = [
  'fixed 5 / 5 s, told',
  'fixed 10 / 10 s, silent',
  'two of twelve keys revoked, the first',
];

/** What the machine may take beside the limits. */
const OVERHEAD_SECONDS = 2;
const MAX_TIME_RATIO = 1.15;
const MAX_SPREAD = 0.1;
const MAX_DEFERRALS = 1.1;

/** @returns what is missed */
export async function runLive({ name, scenario, idealSeconds = 0, maxLimitedShare }: Row): Promise<readonly string[]> {
  const provider = await startLiveProvider(scenario);
  const stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-capacity-'));
  const run = await startLocal({
    stateDir,
    services: { [SERVICE]: { baseUrl: provider.url, path: '/', keyPool: 'default' } },
    secrets: { ...SECRETS, ...Object.fromEntries(provider.keys.map((key, index) => [`KEY${index + 1}`, key])) },
    vars: { ACCEPT: 'queue' },
  });
  try {
    const { length: tasks } = scenario.tasks;
    const startedAt = Date.now();
    await submitTasks(run, tasks);
    using database = openDatabaseFile(stateDir);
    const ended = await untilEnded(database, tasks, idealSeconds * 3_000 + 30_000);
    const seconds = (ended.lastAt - startedAt) / 1_000;
    const limited = provider.limited / provider.calls;
    const uses = [...provider.uses.values()];
    const mean = uses.reduce((sum, use) => sum + use, 0) / uses.length;
    const spread = Math.max(...uses.map((use) => Math.abs(use - mean) / mean));
    const deferrals = ended.deferrals / tasks;
    const most = idealSeconds * MAX_TIME_RATIO + OVERHEAD_SECONDS;
    console.log(
      `${name.padEnd(40)} ${seconds.toFixed(1)} s (ideal ${idealSeconds.toFixed(1)} s)   ` +
        `${(100 * limited).toFixed(1)}% limited   spread ${(100 * spread).toFixed(0)}%   ${deferrals.toFixed(2)} deferrals`,
    );
    return [
      ...(seconds > most ? [`${seconds.toFixed(1)} s, more than ${most.toFixed(1)} s`] : []),
      ...(limited > maxLimitedShare ? [`429s ${(100 * limited).toFixed(1)}%`] : []),
      ...(spread > MAX_SPREAD ? [`spread ${(100 * spread).toFixed(0)}%`] : []),
      ...(deferrals > MAX_DEFERRALS ? [`${deferrals.toFixed(2)} deferrals a task`] : []),
      ...(ended.failed > 0 ? [`${ended.failed} tasks failed`] : []),
    ];
  } finally {
    await run.stop();
    await provider.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}
