/**
 * `npm run bench:redrive`: 100,000 failed tasks run again by a job, in virtual time, beside what the provider lets in.
 * Nothing stands between the job and the provider but the job's own pace. Exits with 1 when a call is refused.
 */
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { redrive, refusals } from './redrive/stage.ts';

const HELP = `npm run bench:redrive -- [--tasks 100000] [--per-second 50]

  --per-second  what the service's definition says that it bears`;

const { values } = parseOptionsOrExit({
  options: {
    tasks: { type: 'string', default: '100000' },
    'per-second': { type: 'string', default: '50' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
} else {
  const limit = Number(values['per-second']);
  // Asked for all that the service bears: the job takes what trips no limit.
  const outcome = await redrive(Number(values.tasks), limit, limit);
  const rows = [
    ['in any second, nobody else calls', refusals(outcome, { limit, ms: 1_000, othersPerSecond: 0 })],
    [
      'in any minute, others call at 40% of the limit',
      refusals(outcome, { limit: 60 * limit, ms: 60_000, othersPerSecond: 0.4 * limit }),
    ],
  ] as const;
  const minutes = (outcome.seconds / 60).toFixed(1);
  console.log(`${outcome.calls.length} tasks in ${minutes} minutes; the service bears ${limit} a second\n`);
  console.log(
    alignedTable(
      ['the limit holds', '429s'],
      rows.map(([name, count]) => [name, String(count)]),
    ),
  );
  if (rows.some(([, count]) => count > 0) || outcome.calls.length !== Number(values.tasks)) process.exitCode = 1;
}
