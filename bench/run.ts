/**
 * `npm run bench`: Tasklane's local run beside bare Workers, in one run, line by line and round by
 * round in turn, so that both sides meet the same noise. Ratios are taken inside a round and their
 * median is what counts. Load generator and backends run in a process of their own on the same machine.
 */
import { LaunchError } from '../terminal/launch-error.ts';
import { Outside } from './load/outside.ts';
import { measureMemory } from './measure/memory.ts';
import { measureRounds } from './measure/round.ts';
import { besideOf, type Options, parseCommand, USAGE } from './options.ts';
import { missedTargets, reportLines } from './report/lines.ts';
import { describeMachine } from './report/machine.ts';
import { type Checkout, checkOut } from './system/commit.ts';
import { type Sides, startSides } from './system/side.ts';

const command = parseCommand(process.argv.slice(2));
switch (command.kind) {
  case 'help':
    console.log(USAGE);
    break;
  case 'invalid':
    console.error(`${command.reason}\n\n${USAGE}`);
    process.exitCode = 2;
    break;
  case 'run':
    process.exitCode = await run(command).catch((error: unknown) => {
      if (!(error instanceof LaunchError)) throw error;
      console.error(error.message);
      return 1;
    });
}

async function run(options: Options): Promise<number> {
  const outside = new Outside();
  const backendPort = await outside.perform<'listen'>({ kind: 'listen' });
  let checkout: Checkout | undefined;
  let sides: Sides | undefined;
  try {
    checkout = options.beside === undefined ? undefined : await checkOut(options.beside);
    sides = await startSides(backendPort, checkout ?? (options.null ? 'null' : 'bare'));
    console.log(`${describeMachine()}\nLoad generator and backends share these cores with what is measured.\n`);
    for (const { name, durability } of sides.systems) console.log(`${name}: ${durability}`);
    console.log();
    if (options.memory) {
      const flat = await measureMemory(sides, outside);
      return flat ? 0 : 1;
    }
    const measured = await measureRounds(sides, outside, options);
    console.log(reportLines(measured, besideOf(options), checkout?.commit));
    const missed = options.null ? [] : missedTargets(measured);
    for (const text of missed) console.log(`missed: ${text}`);
    return missed.length > 0 && options.strict ? 1 : 0;
  } finally {
    await sides?.stop();
    checkout?.remove();
    outside.stop();
  }
}
