import { describe, expect, it } from 'vitest';
import { giveUpLease, releasePlace } from '../../callback/registry/places.ts';
import { setPaused } from '../../callback/registry/services.ts';
import { viewMetrics, viewServer } from '../../callback/registry/view.ts';
import { Fleet, tally } from './fleet.ts';

describe('places', () => {
  it('are counted over all batches, and a full server takes no more', () => {
    const fleet = new Fleet();
    const a = fleet.add('a', { maxConcurrency: 3 });
    const b = fleet.add('b', { maxConcurrency: 3 });
    expect(tally(fleet.route(4))).toEqual({ [a]: 2, [b]: 2 });
    expect(tally(fleet.route(4))).toEqual({ [a]: 1, [b]: 1, 'server-busy': 2 });
  });

  it('are shared by the services of a server', () => {
    const fleet = new Fleet({ ocr: {}, scan: {} });
    const a = fleet.add('a', { maxConcurrency: 3, services: [{ name: 'ocr' }, { name: 'scan' }] });
    expect(tally(fleet.route(2))).toEqual({ [a]: 2 });
    expect(tally(fleet.route(2, { service: 'scan' }))).toEqual({ [a]: 1, 'server-busy': 1 });
  });

  it('come back with each report, once', () => {
    const fleet = new Fleet();
    const a = fleet.add('a', { maxConcurrency: 2 });
    const { leaseId, decisions } = fleet.route(2);
    fleet.report(leaseId, decisions[0], { durationMs: 10_000 });
    fleet.report(leaseId, decisions[0], { durationMs: 10_000 });
    expect(fleet.server(a).inFlight).toBe(1);
    expect(tally(fleet.route(2))).toEqual({ [a]: 1, 'server-busy': 1 });
  });

  it('come back when the block of a crashed consumer expires', () => {
    const fleet = new Fleet();
    const a = fleet.add('a', { maxConcurrency: 2 });
    fleet.route(2, { expiresAt: fleet.now + 30_000 });
    fleet.now += 29_999;
    fleet.route(1, { service: 'other' });
    expect(fleet.server(a).inFlight).toBe(2);
    fleet.now += 1;
    expect(tally(fleet.route(2))).toEqual({ [a]: 2 });
  });

  it('live as long as the latest word on their leaseId', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    const { leaseId } = fleet.route(1, { expiresAt: fleet.now + 30_000 });
    fleet.route(2, { leaseId, expiresAt: fleet.now + 60_000 });
    fleet.route(3, { leaseId, expiresAt: fleet.now + 40_000 });
    fleet.now += 59_999;
    fleet.route(0);
    expect(fleet.server(a).inFlight).toBe(3);
    fleet.now += 1;
    fleet.route(0);
    expect(fleet.server(a).inFlight).toBe(0);
  });

  it('are the same when a batch asks again: a lost answer costs nothing', () => {
    const fleet = new Fleet();
    const ids = [fleet.add('a'), fleet.add('b')];
    const first = fleet.route(10);
    const again = fleet.route(10, { leaseId: first.leaseId });
    expect(again.decisions).toEqual(first.decisions);
    expect(ids.map((id) => fleet.server(id).inFlight)).toEqual([5, 5]);
  });

  it('stay the place of a server that was removed, and hurt nobody when they come back', () => {
    const fleet = new Fleet();
    fleet.add('a');
    const { leaseId, decisions } = fleet.route(1);
    fleet.registry.servers.clear();
    expect(releasePlace(fleet.registry, leaseId, decisions[0]!.id, fleet.now)).toBeDefined();
    expect(fleet.registry.services.get('ocr')?.running.length).toBe(0);
  });
});

describe('the limits of a service', () => {
  it('hold calls at a time over all servers and shards', () => {
    const fleet = new Fleet({ ocr: { maxConcurrency: 5 } });
    fleet.add('a');
    fleet.add('b');
    expect(tally(fleet.route(8))).toMatchObject({ 'server-busy': 3 });
    expect(tally(fleet.route(8))).toEqual({ 'server-busy': 8 });
  });

  it('count the calls of a fixed target too', () => {
    const fleet = new Fleet({ ocr: { baseUrl: 'https://fixed.example.net', maxConcurrency: 2 } });
    const { leaseId, decisions } = fleet.route(3);
    expect(tally({ decisions, servers: {}, lines: {}, servicesVersion: 0 })).toEqual({ fixed: 2, 'server-busy': 1 });
    fleet.report(leaseId, decisions[0]);
    expect(tally(fleet.route(1, { waits: 1 }))).toEqual({ fixed: 1 });
  });

  it('hold calls a second: never more in any second, and nearly as many in the long run', () => {
    const fleet = new Fleet({ ocr: { baseUrl: 'https://fixed.example.net', requestsPerSecond: 20 } });
    const starts: number[] = [];
    const waiting: { until: number; waits: number }[] = [];
    let left = 600;
    const end = fleet.now + 60_000;
    for (; fleet.now < end && (left > 0 || waiting.length > 0); fleet.now += 50) {
      const back = waiting.filter(({ until }) => until <= fleet.now);
      const fresh = Math.min(left, 10);
      left -= fresh;
      for (const waits of [...back.map((each) => each.waits), ...Array.from({ length: fresh }, () => 0)]) {
        const { leaseId, decisions } = fleet.route(1, { waits });
        const [decision] = decisions;
        if (decision?.is === 'routed') {
          starts.push(fleet.now);
          fleet.report(leaseId, decision);
        } else if (decision?.is === 'waiting') {
          waiting.push({ until: decision.until, waits: waits + 1 });
        }
      }
      for (const each of back) waiting.splice(waiting.indexOf(each), 1);
    }
    expect(starts).toHaveLength(600);
    for (const at of starts)
      expect(starts.filter((start) => start > at - 1_000 && start <= at).length).toBeLessThan(21);
    expect((starts.at(-1)! - starts[0]!) / 1000).toBeLessThan(40);
  });

  it('let those go first that have waited: a newcomer joins the line that stands', () => {
    const fleet = new Fleet({ ocr: { maxConcurrency: 2 } });
    fleet.add('a');
    const running = fleet.route(2);
    for (const decision of running.decisions) fleet.report(running.leaseId, decision, { durationMs: 10_000 });
    const again = fleet.route(2);
    expect(fleet.route(3).decisions).toMatchObject([
      { line: 'service:ocr' },
      { line: 'service:ocr' },
      { line: 'service:ocr' },
    ]);
    fleet.report(again.leaseId, again.decisions[0]);
    // One place is free, and it is not for whoever comes now.
    expect(fleet.route(1).decisions).toMatchObject([{ why: 'server-busy', line: 'service:ocr' }]);
    expect(fleet.call({ waits: 1 }).server).toMatch(/^srv_/);
  });

  it('of calls that are short have a call wait where it is, until the others are expected to end', () => {
    const fleet = new Fleet({ ocr: { maxConcurrency: 1 } });
    fleet.add('a');
    fleet.call().report({ durationMs: 400 });
    fleet.route(1);
    const [first] = fleet.route(1).decisions;
    expect(first).toMatchObject({ is: 'waiting', why: 'server-busy', until: fleet.now + 400 });
    expect(first).not.toHaveProperty('line');
    expect(fleet.registry.lines.size).toBe(0);
  });

  it('of servers keep those apart that ask for different ones: who waits for one holds up nobody else', () => {
    const fleet = new Fleet();
    fleet.add('a', { capabilities: { gpu: true }, maxConcurrency: 1 });
    const b = fleet.add('b', { maxConcurrency: 1 });
    const requirements = { capabilities: { gpu: true } };
    const first = fleet.route(1, { requirements });
    fleet.report(first.leaseId, first.decisions[0], { durationMs: 60_000 });
    fleet.route(1, { requirements });
    const [parked] = fleet.route(1, { requirements }).decisions;
    expect(parked).toMatchObject({ line: expect.stringMatching(/^service:ocr#/) });
    expect(fleet.call().server).toBe(b);
  });
});

describe('short calls of one batch', () => {
  const known = (definition: Record<string, unknown>, durationMs = 1_000) => {
    const fleet = new Fleet({ ocr: { baseUrl: 'https://fixed.example.net', ...definition } });
    fleet.call().report({ durationMs });
    return fleet;
  };
  const running = (fleet: Fleet) => fleet.registry.services.get('ocr')?.running.length;

  it('follow one another in their places, as long as none would wait for more than a few seconds', () => {
    const fleet = known({ maxConcurrency: 2 });
    const { leaseId, decisions } = fleet.route(12, { waits: 1 });
    expect(tally({ decisions, servers: {}, lines: {}, servicesVersion: 0 })).toEqual({
      fixed: 2,
      following: 8,
      'server-busy': 2,
    });
    expect(running(fleet)).toBe(2);
    for (const [index, decision] of decisions.slice(0, 10).entries()) {
      expect(running(fleet)).toBe(index < 9 ? 2 : 1);
      fleet.report(leaseId, decision, { durationMs: 1_000 });
    }
    expect(running(fleet)).toBe(0);
  });

  it('are promised the same when they are asked for again', () => {
    const fleet = known({ maxConcurrency: 1 });
    const first = fleet.route(4, { waits: 1 });
    expect(first.decisions.map(({ is }) => is)).toEqual(['routed', 'following', 'following', 'following']);
    expect(fleet.route(4, { waits: 1, leaseId: first.leaseId }).decisions).toEqual(first.decisions);
    expect(running(fleet)).toBe(1);
  });

  it('are all gone when their lease ends, or is given up', () => {
    const fleet = known({ maxConcurrency: 1 });
    fleet.route(4, { waits: 1, expiresAt: fleet.now + 10_000 });
    fleet.now += 10_000;
    const { leaseId, decisions } = fleet.route(4, { waits: 1 });
    expect(decisions[0]).toMatchObject({ is: 'routed' });
    giveUpLease(fleet.registry, leaseId, fleet.now + 60_000, fleet.now);
    expect([running(fleet), fleet.registry.leases.size]).toEqual([0, 0]);
  });

  it('keep to a pace one by one: each of those asks', () => {
    const fleet = known({ maxConcurrency: 1, requestsPerSecond: 100 });
    expect(tally(fleet.route(3, { waits: 1 }))).toEqual({ fixed: 1, 'server-busy': 2 });
  });

  it('that take long do not wait for one another', () => {
    const fleet = known({ maxConcurrency: 1 }, 60_000);
    expect(tally(fleet.route(3, { waits: 1 }))).toEqual({ fixed: 1, 'server-busy': 2 });
  });
});

describe('a call that does not come back', () => {
  it('leaves nothing behind when no place is free in time: those after it find what there is', () => {
    const fleet = new Fleet();
    const a = fleet.add('a', { maxConcurrency: 2 });
    const { leaseId, decisions } = fleet.route(2);
    for (let call = 0; call < 50; call++) {
      const [refused] = fleet.route(1, { patientUntil: fleet.now }).decisions;
      expect(refused).toMatchObject({ why: 'server-busy', until: fleet.now + 250 });
    }
    for (const decision of decisions) fleet.report(leaseId, decision);
    fleet.now += 200;
    expect(tally(fleet.route(2, { patientUntil: fleet.now }))).toEqual({ [a]: 2 });
    expect(fleet.registry.services.get('ocr')?.inPlace.size).toBe(0);
    expect(fleet.registry.lines.size).toBe(0);
  });

  it('has its turn kept while it waits: who comes after it stands behind it', () => {
    const fleet = new Fleet();
    fleet.add('a', { maxConcurrency: 1 });
    const { leaseId, decisions } = fleet.route(1);
    fleet.route(1, { patientUntil: fleet.now + 1_000 });
    fleet.report(leaseId, decisions[0]);
    expect(fleet.call().server).toBe('server-busy');
    expect(fleet.call({ patientUntil: fleet.now + 1_000, waits: 1 }).server).toMatch(/^srv_/);
  });

  it('is not parked, and learns when a circuit may be tried', () => {
    const fleet = new Fleet();
    const unknown = fleet.route(1, { patientUntil: fleet.now }).decisions;
    expect(unknown).toMatchObject([{ why: 'no-server', until: fleet.now + 5_000 }]);
    const a = fleet.add('a');
    for (let call = 0; call < 5; call++) fleet.call().report({ outcome: 'failed' });
    const { state } = fleet.offer(a).circuit;
    const open = fleet.route(1, { patientUntil: fleet.now }).decisions;
    expect(open).toMatchObject([{ why: 'no-server', until: state.is === 'open' && state.until }]);
    expect(fleet.registry.lines.size).toBe(0);
  });
});

describe('a call', () => {
  it('is parked while nobody offers its service, and goes once somebody does', () => {
    const fleet = new Fleet();
    const [decision] = fleet.route(1).decisions;
    expect(decision).toMatchObject({ is: 'waiting', why: 'no-server', line: 'service:ocr' });
    fleet.add('a');
    expect(fleet.call({ waits: 1 }).server).toMatch(/^srv_/);
  });

  it('is parked while its service is paused', () => {
    const fleet = new Fleet();
    fleet.add('a');
    setPaused(fleet.registry, 'ocr', {});
    expect(fleet.route(1).decisions).toMatchObject([{ why: 'paused', line: 'service:ocr' }]);
    setPaused(fleet.registry, 'ocr', undefined);
    expect(fleet.call({ waits: 1 }).server).toMatch(/^srv_/);
  });

  it('goes to servers that meet its requirements only', () => {
    const fleet = new Fleet();
    fleet.add('a', { tier: 1, capabilities: { gpu: false } });
    const b = fleet.add('b', { tier: 2, capabilities: { gpu: true, lang: 'de' } });
    const requirements = { capabilities: { gpu: true } };
    expect(tally(fleet.route(4, { requirements }))).toEqual({ [b]: 4 });
    expect(tally(fleet.route(4, { requirements: { tier: 2, capabilities: { lang: 'de' } } }))).toEqual({ [b]: 4 });
    expect(fleet.call({ requirements: { tier: 1, ...requirements } }).server).toBe('no-server');
    expect(fleet.call({ requirements: { capabilities: { constructor: 'x' } } }).server).toBe('no-server');
  });

  it('does not go to a server that may not have the secrets of its service: nobody can swallow the traffic', () => {
    const good = 'https://good.example.net';
    const fleet = new Fleet({
      ocr: { keyPool: 'default', auth: { origins: [good] } },
      scan: { headers: { authorization: { secret: 'SCAN_TOKEN' } }, auth: { origins: [good] } },
      open: { headers: { accept: 'application/json' } },
    });
    const services = ['ocr', 'scan', 'open'].map((name) => ({ name }));
    const hostile = fleet.add('hostile', { services, weight: 1000, maxConcurrency: 10_000 });
    expect(fleet.call().server).toBe('no-server');
    const id = fleet.add('good', { services });
    expect(tally(fleet.route(10, { waits: 1 }))).toEqual({ [id]: 10 });
    expect(tally(fleet.route(3, { service: 'scan' }))).toEqual({ [id]: 3 });
    expect(fleet.route(0).servers).toEqual({});
    expect(fleet.route(1).servers.ocr).toHaveLength(1);
    expect(tally(fleet.route(1, { service: 'open' }))).toEqual({ [hostile]: 1 });
    const view = viewServer(fleet.registry, fleet.server(hostile), fleet.now).services;
    expect(view).toMatchObject([
      { name: 'ocr', healthy: false, why: expect.stringContaining('auth.origins') },
      { name: 'scan', healthy: false },
      { name: 'open', healthy: true },
    ]);
  });

  it('does not go to a server that said that it is busy, until the time that it said', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    const { report } = fleet.call();
    report({ outcome: 'busy', busyUntil: fleet.now + 20_000 });
    const [decision] = fleet.route(1).decisions;
    expect(decision).toMatchObject({ why: 'server-busy', line: 'service:ocr' });
    fleet.now += 20_000;
    expect(fleet.call({ waits: 1 }).server).toBe(a);
  });

  it('learns the other servers that it could fail over to: those that work', () => {
    const fleet = new Fleet();
    const ids = ['a', 'b', 'c', 'd'].map((name) => fleet.add(name));
    fleet.server(ids[1]!).isDraining = true;
    for (let failure = 0; failure < 5; failure++) {
      const { leaseId, decisions } = fleet.route(1, { requirements: { affinityKey: 'x' } });
      fleet.report(leaseId, decisions[0], { server: ids[2]!, outcome: 'failed' });
    }
    const { servers } = fleet.route(1);
    expect(servers.ocr?.map(({ id }) => id)).toEqual([ids[0], ids[3]]);
    expect(servers.ocr?.[0]).toMatchObject({ baseUrl: 'https://a.example.net', tier: 1 });
  });
});

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
    expect(fleet.registry.spent.size).toBe(0);
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
