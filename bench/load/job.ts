/** What the bench asks of its load process, and what it hears back. */
import type { Address, RequestText } from './connection.ts';

export interface Drive {
  readonly kind: 'drive';
  readonly address: Address;
  readonly connections: number;
  /** Requests in all; those of `requests` are taken in turn. */
  readonly count: number;
  readonly requests: readonly RequestText[];
  /** Whether the answers' bodies are wanted. */
  readonly keepBodies: boolean;
}

/** Sends `submit` and polls `<statusPath><id>` without a pause until it succeeded; `count` times. */
export interface Lone {
  readonly kind: 'lone';
  readonly address: Address;
  readonly count: number;
  readonly submit: RequestText;
  readonly statusPath: string;
}

/** Sends the same request `count` times, one after the other. */
export interface TimeCalls {
  readonly kind: 'time-calls';
  readonly address: Address;
  readonly count: number;
  readonly request: RequestText;
}

export type Job =
  | Drive
  | Lone
  | TimeCalls
  | { readonly kind: 'listen' }
  | { readonly kind: 'reset'; readonly gateClosed: boolean }
  | { readonly kind: 'await-calls'; readonly count: number; readonly timeoutMs: number };

export interface Driven {
  readonly seconds: number;
  /** How many answers had each status. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly bodies: readonly string[];
}

export interface Outcomes {
  drive: Driven;
  /** Milliseconds from the submission to the first poll that shows the success, one a task. */
  lone: number[];
  /** Milliseconds, one a call. */
  'time-calls': number[];
  /** The backend's port. */
  listen: number;
  reset: undefined;
  'await-calls': boolean;
}

export interface JobMessage {
  readonly number: number;
  readonly job: Job;
}

export type OutcomeMessage =
  | { readonly number: number; readonly outcome: unknown }
  | { readonly number: number; readonly failure: string };
