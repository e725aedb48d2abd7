/**
 * The circuit of one service on one server. Closed: calls go. Open: none goes until a time that
 * doubles with each opening. Half-open: one call at a time tries, two good ones close it. Pure over
 * the circuit's state; the time alone turns open into half-open, so it is asked for, not stored.
 */
import { addStarts, countStarts, forgetStarts, type StartLog } from '../../../shared/pace/start-log.ts';
import type { CircuitStateName } from '../../../shared/registry/rpc.ts';

export interface CircuitChange {
  readonly at: number;
  readonly state: CircuitStateName;
  readonly why: string;
}

export interface Circuit {
  state:
    | { readonly is: 'closed'; readonly since: number }
    /** Half-open from `until` on; `probing` while a call tries it, `good` that came back well. */
    | { readonly is: 'open'; readonly until: number; probing: boolean; good: number };
  /** In a row. */
  failures: number;
  readonly calls: StartLog;
  readonly failed: StartLog;
  /** Openings without five good minutes between them. */
  openings: number;
  /** The latest last. */
  history: readonly CircuitChange[];
}

const MAX_FAILURES_IN_A_ROW = 5;
const RATE_WINDOW_MS = 30_000;
const MIN_CALLS_FOR_RATE = 20;
const MAX_ERROR_RATE = 0.5;
const FIRST_OPEN_MS = 10_000;
const MAX_OPEN_MS = 300_000;
/** Circuits of one failure do not try again at the same moment. */
const JITTER_SHARE = 0.2;
const GOOD_PROBES = 2;
/** Closed for so long, the next opening is a first one again. */
const FORGIVEN_AFTER_MS = 300_000;
const MAX_HISTORY = 20;

export function newCircuit(now: number): Circuit {
  return { state: { is: 'closed', since: now }, failures: 0, calls: [], failed: [], openings: 0, history: [] };
}

export function circuitState({ state }: Circuit, now: number): CircuitStateName {
  if (state.is === 'closed') return 'closed';
  return now < state.until ? 'open' : 'half-open';
}

/** True when one more call may go. */
export function admits({ state }: Circuit, now: number): boolean {
  return state.is === 'closed' || (now >= state.until && !state.probing);
}

/** A call goes. @returns true when it is a probe */
export function beginCall(circuit: Circuit, now: number): boolean {
  const { state } = circuit;
  if (state.is === 'closed') return false;
  if (state.good === 0) note(circuit, now, 'half-open', 'one call tries it');
  state.probing = true;
  return true;
}

/** A probe ended without saying anything: the next one may go. */
export function releaseProbe({ state }: Circuit): void {
  if (state.is === 'open') state.probing = false;
}

/** @returns true when the circuit closed by it */
export function noteGood(circuit: Circuit, isProbe: boolean, now: number): boolean {
  const { state } = circuit;
  if (state.is === 'open') {
    // Calls from before the opening say nothing new.
    if (!isProbe) return false;
    state.probing = false;
    state.good += 1;
    if (state.good < GOOD_PROBES) return false;
    close(circuit, now);
    return true;
  }
  circuit.failures = 0;
  count(circuit, now);
  return false;
}

/** @returns true when the circuit opened by it */
export function noteFailure(circuit: Circuit, isProbe: boolean, now: number, random: number): boolean {
  const { state } = circuit;
  if (state.is === 'open') {
    if (!isProbe) return false;
    open(circuit, now, random, 'the call that tried it failed');
    return true;
  }
  circuit.failures += 1;
  count(circuit, now);
  addStarts(circuit.failed, now, 1);
  const calls = countStarts(circuit.calls, now - RATE_WINDOW_MS);
  const failed = countStarts(circuit.failed, now - RATE_WINDOW_MS);
  if (circuit.failures >= MAX_FAILURES_IN_A_ROW) {
    open(circuit, now, random, `${circuit.failures} failures in a row`);
  } else if (calls >= MIN_CALLS_FOR_RATE && failed >= MAX_ERROR_RATE * calls) {
    open(circuit, now, random, `${failed} of ${calls} calls failed`);
  } else {
    return false;
  }
  return true;
}

function count(circuit: Circuit, now: number): void {
  forgetStarts(circuit.calls, now - RATE_WINDOW_MS);
  forgetStarts(circuit.failed, now - RATE_WINDOW_MS);
  addStarts(circuit.calls, now, 1);
}

function open(circuit: Circuit, now: number, random: number, why: string): void {
  const { state } = circuit;
  if (state.is === 'closed' && now - state.since > FORGIVEN_AFTER_MS) circuit.openings = 0;
  const openMs = FIRST_OPEN_MS * 2 ** circuit.openings * (1 + JITTER_SHARE * random);
  circuit.openings += 1;
  circuit.state = { is: 'open', until: now + Math.min(MAX_OPEN_MS, openMs), probing: false, good: 0 };
  note(circuit, now, 'open', why);
}

function close(circuit: Circuit, now: number): void {
  circuit.state = { is: 'closed', since: now };
  circuit.failures = 0;
  circuit.calls.length = 0;
  circuit.failed.length = 0;
  note(circuit, now, 'closed', `${GOOD_PROBES} calls that tried it went well`);
}

function note(circuit: Circuit, at: number, state: CircuitStateName, why: string): void {
  if (circuit.history.at(-1)?.state === state && state === 'half-open') return;
  circuit.history = [...circuit.history, { at, state, why }].slice(-MAX_HISTORY);
}
