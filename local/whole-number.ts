/** Numbers that are given on the command line of a local run. */
import { LaunchError } from '../terminal/launch-error.ts';

export const MAX_LOCAL_SHARDS = 64;

/** @throws LaunchError that names the option and its bounds */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new LaunchError(`${name} is a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}
