/** The options of a command. One that it does not know is told in a line, with the one that was probably meant. */
import { parseArgs } from 'node:util';
import { closest } from '../shared/closest.ts';
import { LaunchError, reasonOf } from './launch-error.ts';

/** As `parseArgs`. @throws LaunchError */
export const parseOptions: typeof parseArgs = (config) => {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new LaunchError(explain(reasonOf(error), Object.keys(config?.options ?? {})));
  }
};

/** For commands that do nothing before they have read their options: ends them with what is wrong. */
export const parseOptionsOrExit: typeof parseArgs = (config) => {
  try {
    return parseOptions(config);
  } catch (error) {
    console.error(`${reasonOf(error)}; see --help`);
    process.exit(2);
  }
};

function explain(reason: string, known: readonly string[]): string {
  const [, unknown] = /^Unknown option '(?:--?)([^']+)'/.exec(reason) ?? [];
  if (unknown === undefined) return reason;
  const meant = closest(unknown, known);
  return `there is no option --${unknown}${meant === undefined ? '' : `; did you mean --${meant}?`}`;
}
