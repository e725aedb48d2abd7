import { describe, expect, it } from 'vitest';
import { setBalancing } from '../../../callback/services/services.ts';
import { Fleet, tally } from '../registry/fleet.ts';

const fleetOf = (balancing: string, servers: Record<string, Record<string, unknown>>) => {
  const fleet = new Fleet({ ocr: { balancing } });
  const ids = Object.entries(servers).map(([name, more]) => fleet.add(name, more));
  return { fleet, ids };
};

/** Calls one after the other, each ended before the next. @returns how many went to each */
function oneByOne(fleet: Fleet, count: number, latencyMs: (server: string) => number = () => 10) {
  const counts: Record<string, number> = {};
  for (let index = 0; index < count; index++) {
    const { server, report } = fleet.call();
    counts[server] = (counts[server] ?? 0) + 1;
    fleet.now += latencyMs(server);
    report({ durationMs: latencyMs(server) });
  }
  return counts;
}

describe('balancing', () => {
  it('round-robin gives everybody a turn, whatever weights and latencies', () => {
    const { fleet, ids } = fleetOf('round-robin', { a: { weight: 5 }, b: {}, c: {} });
    const turns = Array.from({ length: 6 }, () => fleet.call().server);
    expect(turns).toEqual([...ids, ...ids]);
  });

  it('round-robin goes on in turn when a server comes back', () => {
    const { fleet, ids } = fleetOf('round-robin', { a: {}, b: {}, c: {} });
    fleet.call();
    fleet.server(ids[1]!).isDraining = true;
    expect([fleet.call().server, fleet.call().server]).toEqual([ids[2], ids[0]]);
    fleet.server(ids[1]!).isDraining = false;
    expect(fleet.call().server).toBe(ids[1]);
  });

  it('random is even in the long run and not in turn', () => {
    const { fleet, ids } = fleetOf('random', { a: {}, b: {} });
    const counts = oneByOne(fleet, 2_000);
    expect(counts[ids[0]!]! / 2_000).toBeCloseTo(0.5, 1);
    const turns = Array.from({ length: 20 }, () => fleet.call().server);
    expect(turns.some((id, index) => id === turns[index + 1])).toBe(true);
  });

  it('weighted follows the weights exactly and spreads each share over the round', () => {
    const { fleet, ids } = fleetOf('weighted', { a: { weight: 3 }, b: { weight: 2 }, c: { weight: 1 } });
    const turns = Array.from({ length: 6 }, () => fleet.call().server);
    expect(ids.map((id) => turns.filter((turn) => turn === id).length)).toEqual([3, 2, 1]);
    // Smooth: the heaviest never goes three times in a row.
    expect(turns.join().includes(`${ids[0]},${ids[0]},${ids[0]}`)).toBe(false);
    const counts = oneByOne(fleet, 600);
    expect(ids.map((id) => counts[id])).toEqual([300, 200, 100]);
  });

  it('least-connections fills the emptiest by weight', () => {
    const { fleet, ids } = fleetOf('least-connections', { a: { weight: 3 }, b: {} });
    expect(tally(fleet.route(12))).toEqual({ [ids[0]!]: 9, [ids[1]!]: 3 });
  });

  it('least-connections sends fewer calls to a server whose calls last', () => {
    const { fleet, ids } = fleetOf('least-connections', { a: {}, b: {} });
    // Four calls at a time; those of the first last ten times as long.
    const ends: { at: number; end: () => void }[] = [];
    const counts: Record<string, number> = {};
    for (let index = 0; index < 400; index++) {
      const { server, report } = fleet.call();
      counts[server] = (counts[server] ?? 0) + 1;
      ends.push({ at: fleet.now + (server === ids[0] ? 100 : 10), end: () => report({}) });
      if (ends.length < 4) continue;
      ends.sort((a, b) => a.at - b.at);
      const first = ends.shift()!;
      fleet.now = Math.max(fleet.now, first.at);
      first.end();
    }
    expect(counts[ids[1]!]! / counts[ids[0]!]!).toBeGreaterThan(5);
  });

  it('peak-ewma avoids the slow server from its first slow answer on, and tries it again now and then', () => {
    const { fleet, ids } = fleetOf('peak-ewma', { a: {}, b: {}, c: {} });
    const latency = (server: string) => (server === ids[0] ? 500 : 20);
    const counts = oneByOne(fleet, 3_000, latency);
    expect(counts[ids[0]!]).toBeGreaterThan(1);
    expect(counts[ids[0]!]! / 3_000).toBeLessThan(0.01);
    expect(counts[ids[1]!]! / counts[ids[2]!]!).toBeCloseTo(1, 0);
  });

  it('peak-ewma takes a failure for slow, not for quick', () => {
    const { fleet, ids } = fleetOf('peak-ewma', { a: {}, b: {} });
    for (const _ of ids) {
      const { server, report } = fleet.call();
      report(server === ids[0] ? { outcome: 'failed', durationMs: 1 } : { durationMs: 50 });
    }
    expect(oneByOne(fleet, 20, () => 50)).toEqual({ [ids[1]!]: 20 });
  });

  it('sticky sends a key to the same server, spreads keys, and moves only those of a server that goes', () => {
    const { fleet, ids } = fleetOf('sticky', { a: {}, b: {}, c: {} });
    const home = (key: string) => {
      const { server, report } = fleet.call({ requirements: { affinityKey: key } });
      report({});
      return server;
    };
    const keys = Array.from({ length: 600 }, (_, index) => `user-${index}`);
    const before = new Map(keys.map((key) => [key, home(key)]));
    expect(keys.every((key) => home(key) === before.get(key))).toBe(true);
    for (const id of ids) {
      const share = keys.filter((key) => before.get(key) === id).length / keys.length;
      expect(share).toBeGreaterThan(0.25);
      expect(share).toBeLessThan(0.42);
    }
    fleet.server(ids[1]!).isDraining = true;
    for (const key of keys) {
      if (before.get(key) === ids[1]) expect(home(key)).not.toBe(ids[1]);
      else expect(home(key)).toBe(before.get(key));
    }
    fleet.server(ids[1]!).isDraining = false;
    expect(keys.every((key) => home(key) === before.get(key))).toBe(true);
  });

  it('sticky waits for its server while that is full, and calls without a key go where there is room', () => {
    const { fleet } = fleetOf('sticky', { a: { maxConcurrency: 2 }, b: { maxConcurrency: 2 } });
    const { server } = fleet.call({ requirements: { affinityKey: 'k' } });
    expect(fleet.call({ requirements: { affinityKey: 'k' } }).server).toBe(server);
    expect(fleet.call({ requirements: { affinityKey: 'k' } }).server).toBe('server-busy');
    expect(fleet.call().server).not.toBe(server);
  });

  it('changes the algorithm at run time without losing counts', () => {
    const { fleet, ids } = fleetOf('round-robin', { a: {}, b: { weight: 3 } });
    fleet.route(10);
    expect(setBalancing(fleet.registry, 'ocr', 'least-connections')).toEqual({ ok: true, value: undefined });
    expect(ids.map((id) => fleet.offer(id).inFlight)).toEqual([5, 5]);
    fleet.route(6);
    // The heavier one catches up from where they stood.
    expect(ids.map((id) => fleet.offer(id).inFlight)).toEqual([5, 11]);
    expect(ids.map((id) => fleet.offer(id).picked)).toEqual([5, 11]);
    expect(setBalancing(fleet.registry, 'ocr', 'best')).toMatchObject({ ok: false, code: 'invalid-request' });
    expect(setBalancing(fleet.registry, 'none', 'random')).toMatchObject({ ok: false, code: 'service-not-found' });
  });
});
