import { describe, expect, it } from 'vitest';
import {
  admits,
  beginCall,
  type Circuit,
  circuitState,
  newCircuit,
  noteFailure,
  noteGood,
  releaseProbe,
} from '../../../../callback/registry/servers/circuit.ts';
import { T0 } from '../fleet.ts';

/** Without jitter. */
const NO_LUCK = 0;

function fail(circuit: Circuit, now: number): boolean {
  return noteFailure(circuit, beginCall(circuit, now), now, NO_LUCK);
}

function succeed(circuit: Circuit, now: number): void {
  noteGood(circuit, beginCall(circuit, now), now);
}

function opened(now: number): Circuit {
  const circuit = newCircuit(T0);
  for (let index = 0; index < 5; index++) fail(circuit, now);
  return circuit;
}

describe('a closed circuit', () => {
  it('opens on the fifth failure in a row, and says why', () => {
    const circuit = newCircuit(T0);
    for (let index = 0; index < 4; index++) expect(fail(circuit, T0)).toBe(false);
    expect(circuitState(circuit, T0)).toBe('closed');
    expect(fail(circuit, T0)).toBe(true);
    expect(circuitState(circuit, T0)).toBe('open');
    expect(circuit.history).toEqual([{ at: T0, state: 'open', why: '5 failures in a row' }]);
  });

  it('begins to count anew after each good call', () => {
    const circuit = newCircuit(T0);
    for (let round = 0; round < 4; round++) {
      for (let index = 0; index < 4; index++) fail(circuit, T0 + round * 60_000);
      succeed(circuit, T0 + round * 60_000);
    }
    expect(circuitState(circuit, T0 + 240_000)).toBe('closed');
  });

  it('opens when half of at least twenty calls within 30 seconds failed', () => {
    const circuit = newCircuit(T0);
    for (let index = 0; index < 9; index++) {
      fail(circuit, T0);
      succeed(circuit, T0);
    }
    succeed(circuit, T0);
    // The twentieth call is the tenth failure.
    expect(fail(circuit, T0 + 1_000)).toBe(true);
    expect(circuit.history.at(-1)?.why).toBe('10 of 20 calls failed');
  });

  it('forgets failures that are older than 30 seconds', () => {
    const circuit = newCircuit(T0);
    for (let index = 0; index < 9; index++) {
      fail(circuit, T0);
      succeed(circuit, T0);
    }
    for (let index = 0; index < 12; index++) succeed(circuit, T0 + 31_000);
    for (let index = 0; index < 4; index++) fail(circuit, T0 + 31_000);
    expect(circuitState(circuit, T0 + 31_000)).toBe('closed');
  });
});

describe('an open circuit', () => {
  it('lets nothing through for ten seconds, then one call at a time', () => {
    const circuit = opened(T0);
    expect(admits(circuit, T0 + 9_999)).toBe(false);
    expect(circuitState(circuit, T0 + 10_000)).toBe('half-open');
    expect(admits(circuit, T0 + 10_000)).toBe(true);
    expect(beginCall(circuit, T0 + 10_000)).toBe(true);
    expect(admits(circuit, T0 + 10_000)).toBe(false);
  });

  it('is not moved by calls from before it opened', () => {
    const circuit = opened(T0);
    noteGood(circuit, false, T0 + 1);
    noteGood(circuit, false, T0 + 10_001);
    noteGood(circuit, false, T0 + 10_002);
    expect(noteFailure(circuit, false, T0 + 10_003, NO_LUCK)).toBe(false);
    expect(circuitState(circuit, T0 + 10_003)).toBe('half-open');
  });

  it('closes after two good probes', () => {
    const circuit = opened(T0);
    succeed(circuit, T0 + 10_000);
    expect(circuitState(circuit, T0 + 10_000)).toBe('half-open');
    succeed(circuit, T0 + 10_001);
    expect(circuitState(circuit, T0 + 10_001)).toBe('closed');
    expect(circuit.history.map(({ state }) => state)).toEqual(['open', 'half-open', 'closed']);
  });

  it('opens again at a failed probe, twice as long, up to five minutes', () => {
    const circuit = opened(T0);
    let now = T0;
    const pauses: number[] = [];
    for (let round = 0; round < 7; round++) {
      if (circuit.state.is !== 'open') throw new Error('it is open');
      pauses.push((circuit.state.until - now) / 1000);
      now = circuit.state.until;
      expect(fail(circuit, now)).toBe(true);
    }
    expect(pauses).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  it('does not double after five good minutes, but does after a short recovery', () => {
    const again = (closedForMs: number) => {
      const circuit = opened(T0);
      succeed(circuit, T0 + 10_000);
      succeed(circuit, T0 + 10_000);
      const now = T0 + 10_000 + closedForMs;
      for (let index = 0; index < 5; index++) fail(circuit, now);
      return circuit.state.is === 'open' && circuit.state.until - now;
    };
    expect(again(60_000)).toBe(20_000);
    expect(again(300_001)).toBe(10_000);
  });

  it('spreads its time by up to a fifth', () => {
    const circuit = newCircuit(T0);
    for (let index = 0; index < 5; index++) noteFailure(circuit, false, T0, 1);
    expect(circuit.state).toMatchObject({ until: T0 + 12_000 });
  });

  it('lets another call try when a probe ends without a word', () => {
    const circuit = opened(T0);
    beginCall(circuit, T0 + 10_000);
    releaseProbe(circuit);
    expect(admits(circuit, T0 + 10_000)).toBe(true);
  });

  it('keeps the last twenty changes', () => {
    const circuit = opened(T0);
    let now = T0;
    for (let round = 0; round < 30; round++) {
      if (circuit.state.is === 'open') now = circuit.state.until;
      fail(circuit, now);
    }
    expect(circuit.history).toHaveLength(20);
    expect(circuit.history.at(-1)).toMatchObject({ at: now, state: 'open' });
  });
});
