/**
 * `npm run bench:stores`: tasks over three stores of which one is away for a while, and a store that fills
 * under load. Exits with 1 when a task is lost, does not end once, or is not refused as it should be.
 */
import { parseOptionsOrExit } from '../terminal/options.ts';
import { runAway } from './stores/away.ts';
import { runFull } from './stores/full.ts';

const HELP = `npm run bench:stores -- [options]

  --tasks N     tasks over three stores (100000)
  --away S      seconds for which one of them is away (60)
  --limit MB    size at which the other run's store is full (20)
  --only NAME   away or full
  --help        this text`;

const { values } = parseOptionsOrExit({
  options: {
    tasks: { type: 'string', default: '100000' },
    away: { type: 'string', default: '60' },
    limit: { type: 'string', default: '20' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

let failed = false;
if (values.only !== 'full') {
  const report = await runAway(Number(values.tasks), Number(values.away), 1_800_000);
  console.log(report);
  const { statuses, tasks: all, listed, neverCalled, calledAgain } = report;
  failed ||= statuses.succeeded !== all || listed !== all || neverCalled > 0 || calledAgain > 0;
}
if (values.only !== 'away') {
  const report = await runFull(Number(values.limit) * 1_000_000, 20, 600_000);
  console.log(report);
  failed ||= report.notEnded > 0 || report.failedPolls > 0 || report.acceptedAfter === 0 || report.retryAfter === null;
}
process.exit(failed ? 1 : 0);
