/** The demo's table: one line per event, aligned, as wide as the terminal and no wider. */
import { pad, style } from '../../terminal/style.ts';
import type { TaskEvent } from './task-event.ts';

const COLUMNS = { time: 9, service: 9, status: 13, attempt: 9 };
const DEFAULT_WIDTH = 100;

const LOOKS: Readonly<Record<string, readonly [mark: string, colour: (text: string) => string]>> = {
  succeeded: ['✓', style.green],
  failed: ['✗', style.red],
  expired: ['✗', style.red],
  cancelled: ['✗', style.yellow],
  retrying: ['↻', style.yellow],
  deferred: ['‖', style.magenta],
  waiting: ['…', style.cyan],
};

export function tableHead(): string {
  return style.dim(row('TIME'.padStart(COLUMNS.time - 2), 'SERVICE', 'STATUS', 'ATTEMPT', 'WHY'));
}

/** @param startedAt Unix milliseconds: the table's zero */
export function tableLine(service: string, event: TaskEvent, startedAt: number): string {
  const [mark, colour] = LOOKS[event.status] ?? [' ', style.dim];
  const seconds = `${Math.max(0, (event.at - startedAt) / 1000).toFixed(2)} s`;
  const attempt = event.maxAttempts === undefined ? `${event.attempt}` : `${event.attempt} of ${event.maxAttempts}`;
  return row(
    style.dim(seconds.padStart(COLUMNS.time - 2)),
    service,
    colour(`${mark} ${event.status}`),
    attempt,
    shorten(event.why),
  );
}

function row(time: string, service: string, status: string, attempt: string, why: string): string {
  return `  ${pad(time, COLUMNS.time)}${pad(service, COLUMNS.service)}${pad(status, COLUMNS.status)}${pad(attempt, COLUMNS.attempt)}${why}`;
}

function shorten(text: string): string {
  const used = 2 + Object.values(COLUMNS).reduce((sum, width) => sum + width, 0);
  const room = Math.max(20, (process.stdout.columns ?? DEFAULT_WIDTH) - used);
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= room ? line : `${line.slice(0, room - 1)}…`;
}
