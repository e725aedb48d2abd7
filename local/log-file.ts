/** What the Workers log goes to a file of its own, line by line; the terminal is for people. */
import { createWriteStream, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LogLine } from './runtime.ts';

export interface LogFile {
  /** As seen from the current directory. */
  readonly file: string;
  write(line: LogLine): void;
}

/** A log of this size makes room for a new one when a run starts; the last one is kept beside it. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** Goes on where the last run stopped, so that a crash can be read about after the restart. */
export function openLogFile(dir: string): LogFile {
  const file = path.join(dir, 'logs', 'local.log');
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  stream.on('error', () => {});
  return {
    file: path.relative('.', file),
    write: ({ at, level, text }) => stream.write(`${at.toISOString()} ${level} ${text}\n`),
  };
}
