/** What the registry takes from the reports of calls. */
import { describe, expect, it } from 'vitest';
import { viewMetrics } from '../../../callback/registry/view.ts';
import { Fleet, tally } from '../registry/fleet.ts';

/** Opens the circuit of `a`, and lets the time of its first probe come. */
function breakCircuit(fleet: Fleet, a: string): void {
  for (let call = 0; call < 5; call++) {
    const { leaseId, decisions } = fleet.route(1);
    fleet.report(leaseId, decisions[0], { server: a, outcome: 'failed' });
  }
  fleet.now += 12_000;
}

describe('what is reported', () => {
  it('counts once, however often it is said', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    const { leaseId, decisions } = fleet.route(2);
    for (let time = 0; time < 6; time++) fleet.report(leaseId, decisions[0], { outcome: 'failed' });
    expect(viewMetrics(fleet.server(a), fleet.now).services).toMatchObject([{ calls: 1, failures: 1 }]);
    expect(fleet.offer(a).circuit.state.is).toBe('closed');
  });

  it('counts once too when all of its batch was said before', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    const { leaseId, decisions } = fleet.route(1);
    for (let time = 0; time < 6; time++) fleet.report(leaseId, decisions[0], { outcome: 'failed' });
    expect(viewMetrics(fleet.server(a), fleet.now).services).toMatchObject([{ calls: 1, failures: 1 }]);
    expect(fleet.registry.leases.size).toBe(0);
    fleet.now += 60_000;
    fleet.route(0);
    expect(fleet.registry.ended.size).toBe(0);
  });

  it('of a long answer that has begun closes a circuit, and keeps the place', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    breakCircuit(fleet, a);
    const streams = [fleet.route(1)];
    fleet.report(streams[0]!.leaseId, streams[0]!.decisions[0], { isOngoing: true });
    streams.push(fleet.route(1));
    expect(tally(streams[1]!)).toEqual({ [a]: 1 });
    fleet.report(streams[1]!.leaseId, streams[1]!.decisions[0], { isOngoing: true });
    expect(fleet.offer(a).circuit.state.is).toBe('closed');
    expect(fleet.server(a).inFlight).toBe(2);
    expect(viewMetrics(fleet.server(a), fleet.now).services).toMatchObject([{ calls: 5 }]);
    for (const { leaseId, decisions } of streams) fleet.report(leaseId, decisions[0], { outcome: 'failed' });
    expect(fleet.server(a).inFlight).toBe(0);
    expect(fleet.offer(a).circuit.state.is).toBe('closed');
  });

  it('does not take a refusal for a quick answer', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    fleet.call().report({ outcome: 'busy', durationMs: 1, busyUntil: fleet.now });
    expect(viewMetrics(fleet.server(a), fleet.now).services).toMatchObject([
      { calls: 1, busy: 1, latencyMs: undefined, ewmaMs: undefined },
    ]);
  });

  it.each([
    [
      'was not made',
      (fleet: Fleet, { leaseId, decisions }: ReturnType<Fleet['route']>) =>
        fleet.report(leaseId, decisions[0], { outcome: 'unused' }),
    ],
    [
      'went elsewhere',
      (fleet: Fleet, { leaseId, decisions }: ReturnType<Fleet['route']>) =>
        fleet.report(leaseId, decisions[0], { server: 'srv_0000000000000009' }),
    ],
    [
      'was never seen again',
      (fleet: Fleet) => {
        fleet.now += 60_000;
      },
    ],
  ])('lets another call try a circuit when the one that should %s', (_what, end) => {
    const fleet = new Fleet({ ocr: { balancing: 'peak-ewma' } });
    const a = fleet.add('a');
    breakCircuit(fleet, a);
    const probe = fleet.route(1);
    expect(tally(probe)).toEqual({ [a]: 1 });
    expect(fleet.call().server).toBe('server-busy');
    end(fleet, probe);
    expect(fleet.call({ waits: 1 }).server).toBe(a);
  });

  it('does not keep a server that recovered out of use: its probe goes first, whatever the algorithm', () => {
    const fleet = new Fleet({ ocr: { balancing: 'peak-ewma' } });
    const a = fleet.add('a');
    breakCircuit(fleet, a);
    const b = fleet.add('b');
    for (let call = 0; call < 5; call++) fleet.call({ requirements: { tier: 1 } }).report({ server: b, durationMs: 1 });
    expect(fleet.call().server).toBe(a);
    expect(fleet.call().server).toBe(b);
  });

  it('opens the circuit of the server that was called, and of those that could not be reached', () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.add('a'), fleet.add('b')];
    for (let call = 0; call < 5; call++) {
      const { leaseId, decisions } = fleet.route(1);
      // Failed over from the first to the second, wherever the call was sent.
      fleet.report(leaseId, decisions[0], { server: b, unreachableServers: [a], durationMs: 5 });
    }
    expect(fleet.offer(a).circuit.state.is).toBe('open');
    expect(fleet.offer(b).circuit.state.is).toBe('closed');
    expect(fleet.server(a).inFlight + fleet.server(b).inFlight).toBe(0);
    expect(tally(fleet.route(4))).toEqual({ [b]: 4 });
  });

  it('lets single probes through a half-open circuit, and closes it after two that went well', () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.add('a'), fleet.add('b')];
    for (let call = 0; call < 5; call++) {
      const { leaseId, decisions } = fleet.route(1);
      fleet.report(leaseId, decisions[0], { server: a, outcome: 'failed' });
    }
    fleet.now += 12_000;
    expect(tally(fleet.route(10))).toEqual({ [a]: 1, [b]: 9 });
    expect(tally(fleet.route(10))).toMatchObject({ [b]: 7, 'server-busy': 3 });
    const leases = [...fleet.registry.leases.keys()];
    const probe = (leaseId: string) =>
      fleet.route(10, { leaseId }).decisions.find((each) => each.is === 'routed' && each.server?.id === a);
    fleet.report(leases[0]!, probe(leases[0]!));
    const second = fleet.route(1);
    expect(tally(second)).toEqual({ [a]: 1 });
    fleet.report(second.leaseId, second.decisions[0]);
    expect(fleet.offer(a).circuit.state.is).toBe('closed');
    expect(tally(fleet.route(3))).toEqual({ [a]: 3 });
  });

  it('counts calls of a batch that the registry does not know, after a restart', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    const answer = fleet.route(5);
    fleet.restart();
    for (const decision of answer.decisions) fleet.report(answer.leaseId, decision, { outcome: 'failed' });
    expect(fleet.server(a).inFlight).toBe(0);
    expect(fleet.offer(a).circuit.state.is).toBe('open');
  });
});
