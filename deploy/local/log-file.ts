/** What the Workers log goes to a file of its own, line by line; the terminal is for people. */
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { LogLine } from './runtime.ts';

export interface LogFile {
  /** As seen from the current directory. */
  readonly file: string;
  write(line: LogLine): void;
}

/** Starts afresh with each run. */
export function openLogFile(dir: string): LogFile {
  const file = path.join(dir, 'logs', 'local.log');
  mkdirSync(path.dirname(file), { recursive: true });
  const stream = createWriteStream(file);
  stream.on('error', () => {});
  return {
    file: path.relative('.', file),
    write: ({ at, level, text }) => stream.write(`${at.toISOString()} ${level} ${text}\n`),
  };
}
