/** What of the Workers' log is for a person at the terminal; all of it is in the log file. Pure. */
import type { LogLine } from './runtime.ts';

/** The runtime says in its own words, with addresses of its memory, what the task's attempt says in ours. */
const KNOWN_BY_THE_TASK = /^e = rust\/worker\/ffi\.rs:\d+: failed: failed to lookup address/;

/** @returns undefined when it is for nobody */
export function terminalLine({ level, text }: Pick<LogLine, 'level' | 'text'>): string | undefined {
  if (level !== 'error' || KNOWN_BY_THE_TASK.test(text)) return undefined;
  return text.split('\n')[0];
}
