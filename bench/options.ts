/** The command line of `npm run bench`. */
import { parseOptions } from '../terminal/options.ts';
import type { Beside } from './measure/line.ts';

export const USAGE = `npm run bench -- [options]

Measures Tasklane beside bare Workers (bench/workers/bare) in one run, round by
round in turn.

  --rounds N   rounds to measure, after a warm-up of six (default 5)
  --tasks N    tasks in each measurement (default 4000)
  --only TEXT  only the lines whose name contains TEXT
  --quick      2 rounds of 1000 tasks: a look, not a figure to quote
  --memory     instead: 50,000 tasks through each side, and what memory the
               runtime holds
  --null       bare Workers on both sides: what a ratio is worth on this machine
  --beside C   beside Tasklane of the commit C instead of bare Workers: has it
               become dearer? Unpacks C and installs its packages
  --strict     exit with 1 when a target is missed
  --help       this text
`;

export interface Options {
  readonly rounds: number;
  readonly tasks: number;
  readonly only: string;
  readonly memory: boolean;
  readonly null: boolean;
  /** A commit to stand beside, instead of bare Workers. */
  readonly beside: string | undefined;
  readonly strict: boolean;
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly reason: string }
  | ({ readonly kind: 'run' } & Options);

export function besideOf({ null: nullRun, beside }: Pick<Options, 'null' | 'beside'>): Beside {
  if (nullRun) return 'null';
  return beside === undefined ? 'bare' : 'commit';
}

export function parseCommand(args: readonly string[]): Command {
  let values: ReturnType<typeof readFlags>;
  try {
    values = readFlags(args);
  } catch (cause) {
    return { kind: 'invalid', reason: (cause as Error).message };
  }
  if (values.help) return { kind: 'help' };
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  const tasks = Number(values.tasks ?? (values.quick ? 1_000 : 4_000));
  if (!Number.isInteger(rounds) || rounds < 1) return { kind: 'invalid', reason: '--rounds is a whole number from 1' };
  if (!Number.isInteger(tasks) || tasks < 100) return { kind: 'invalid', reason: '--tasks is a whole number from 100' };
  const { only, memory, null: nullRun, beside, strict } = values;
  const asked = [memory && '--memory', nullRun && '--null', beside !== undefined && '--beside'].filter(Boolean);
  if (asked.length > 1) return { kind: 'invalid', reason: `${asked.join(' and ')} do not go together` };
  return { kind: 'run', rounds, tasks, only, memory, null: nullRun, beside, strict };
}

function readFlags(args: readonly string[]) {
  return parseOptions({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      tasks: { type: 'string' },
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      null: { type: 'boolean', default: false },
      beside: { type: 'string' },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}
