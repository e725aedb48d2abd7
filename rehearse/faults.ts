/** What can go wrong at a call to the API, and what it does to the call. */

export interface FaultEffect {
  readonly answer: 500 | 429 | 'lost connection' | 'none';
  /** Whether the account changed all the same. */
  readonly takesEffect: boolean;
  /** Until the run ends; otherwise once. */
  readonly stays: boolean;
  /** The process that deploys is gone. */
  readonly endsRun: boolean;
}

const once = { takesEffect: false, stays: false, endsRun: false } as const;

export const FAULTS = {
  'answers 500': { ...once, answer: 500 },
  'answers 500, though done': { ...once, answer: 500, takesEffect: true },
  'answers 500 from then on': { ...once, answer: 500, stays: true },
  'answers 429': { ...once, answer: 429 },
  'answers 429 from then on': { ...once, answer: 429, stays: true },
  'connection lost': { ...once, answer: 'lost connection' },
  'connection lost, though done': { ...once, answer: 'lost connection', takesEffect: true },
  'time-out, though done': { ...once, answer: 'none', takesEffect: true },
  'crash before the call': { ...once, answer: 'lost connection', endsRun: true },
  'crash after the call': { ...once, answer: 'lost connection', takesEffect: true, endsRun: true },
} as const satisfies Record<string, FaultEffect>;

export type FaultKind = keyof typeof FAULTS;

export interface Fault {
  readonly kind: FaultKind;
  /** Which call of the run it meets, from 1. */
  readonly call: number;
}

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

/** A run that meets one of these helps itself: the others end it, and the next run goes on. */
export function isHealed(kind: FaultKind): boolean {
  return !FAULTS[kind].stays && !FAULTS[kind].endsRun;
}
