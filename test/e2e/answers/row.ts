/** A row of the table: what a backend answers, and what becomes of it both ways. */
import { planted } from '../staged-backend.ts';
import type { RawRequest, Step } from './raw-backend.ts';

export interface Expected {
  /** How the task ends, or that it waits for another attempt: its status, and what its error says. */
  readonly task: {
    readonly status: string;
    readonly class?: string;
    readonly says?: string;
  };
  readonly sync: {
    readonly status: number | 'broken';
    readonly says?: string;
    readonly headers?: Record<string, string | null>;
  };
}

export interface Row extends Expected {
  readonly steps: (request: RawRequest) => readonly Step[];
}

export type Rows = Readonly<Record<string, Row>>;

export const KEY = planted('answers');
/** A secret that may be the name of a header. */
export const SECOND = 'PLANTED-second-0123456789abcdef';
export const JSON_TYPE = { 'content-type': 'application/json' };
export const TEXT = { 'content-type': 'text/plain' };

/** What is sent back: the request's own headers, key and token among them. */
export const echo = ({ headers }: RawRequest) => JSON.stringify(Object.fromEntries(headers));
export const escapes = (text: string) => Array.from(text, (char) => `\\u00${char.charCodeAt(0).toString(16)}`).join('');
export const percent = (text: string) => Array.from(text, (char) => `%${char.charCodeAt(0).toString(16)}`).join('');

export const succeeds = { status: 'succeeded' };
export const isClean = { task: succeeds, sync: { status: 200, says: '[redacted]' } };
