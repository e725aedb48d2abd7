/**
 * `npm run bench:keys`: many tasks through a pool of rate-limited keys, two of them revoked, against
 * the example provider in the real local run; and the same tasks with a key drawn at random for each
 * call, as one would do without a pool.
 */

import { HEADER_STYLES } from '../examples/provider/server.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { type KeyRunReport, type KeyRunSettings, runWithPool, runWithRandomKeys } from './keys/run.ts';

const USAGE = `npm run bench:keys -- [options]

  --tasks N      tasks (2000)
  --keys N       API keys (20), of which two are revoked; eight to a shard
  --limit N      requests that the provider lets a key make in a window (60)
  --window S     seconds in a window (60)
  --headers H    what the provider tells of its limits (none):
                 ${HEADER_STYLES.join(', ')}
  --quick        windows of 30 s instead of 60 s, told in headers: twice the
                 pace, the same picture
  --pool-only    without the random choice beside it
  --strict       exit with 1 when a target is missed
  --help         this text
`;

const { values } = parseOptionsOrExit({
  options: {
    tasks: { type: 'string', default: '2000' },
    keys: { type: 'string', default: '20' },
    limit: { type: 'string', default: '60' },
    window: { type: 'string' },
    headers: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'pool-only': { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function readSettings(): KeyRunSettings {
  const headers = values.headers ?? (values.quick ? 'ietf' : 'none');
  return {
    tasks: Number(values.tasks),
    keys: Number(values.keys),
    revoked: 2,
    limit: Number(values.limit),
    windowMs: Number(values.window ?? (values.quick ? 30 : 60)) * 1000,
    headers: HEADER_STYLES.find((style) => style === headers) ?? 'none',
  };
}

/** What the issue of the pool asks for. */
const MAX_RATIO = 1.15;
const MAX_LIMITED_SHARE = 0.02;
const MAX_SPREAD = 0.1;

async function run(settings: KeyRunSettings): Promise<number> {
  const { tasks, keys, revoked, limit, windowMs } = settings;
  const allowedMs = (tasks / ((keys - revoked) * limit)) * windowMs;
  console.log(
    `${tasks} tasks, ${keys} keys of ${limit} requests in ${windowMs / 1000} s each, ${revoked} of them revoked: ` +
      `${(allowedMs / 1000).toFixed(1)} s at the pace of the limits. The provider tells of its limits: ${settings.headers}.\n`,
  );
  const pool = await runWithPool(settings);
  print('key pool', pool, allowedMs);
  if (!values['pool-only']) print('a random key for each call', await runWithRandomKeys(settings), allowedMs);
  const missed = [
    pool.succeeded === tasks || `${tasks - pool.succeeded} tasks did not succeed`,
    pool.tookMs / allowedMs <= MAX_RATIO || 'the time is not within 15% of what the limits allow',
    pool.limited / pool.calls < MAX_LIMITED_SHARE || 'two in a hundred calls or more were rate limited',
    pool.spread <= MAX_SPREAD || 'the spread between working keys is more than 10%',
  ].filter((miss) => miss !== true);
  for (const miss of missed) console.log(`missed: ${miss}`);
  return values.strict && missed.length > 0 ? 1 : 0;
}

function print(name: string, report: KeyRunReport, allowedMs: number): void {
  const percent = (share: number) => `${(share * 100).toFixed(1)}%`;
  const { tookMs, calls, limited, refused, succeeded, failed, spread, byKey, deferrals } = report;
  console.log(`${name}
  time               ${(tookMs / 1000).toFixed(1)} s, ${(tookMs / allowedMs).toFixed(2)} of that
  tasks              ${succeeded} succeeded, ${failed} failed
  calls              ${calls}, of which ${limited} rate limited (${percent(limited / calls)}), ${refused} with a revoked key
  working keys       ${Math.min(...byKey)} to ${Math.max(...byKey)} tasks each, a spread of ${percent(spread)}
  by key             ${byKey.join(' ')}
  waits              ${deferrals} deferrals
`);
}

if (values.help) console.log(USAGE);
else process.exitCode = await run(readSettings());
