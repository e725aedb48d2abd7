/** Places at servers and in services: how many, for whom, and until when. */
import { describe, expect, it } from 'vitest';
import { giveUpLease, releasePlace, restoreLeases } from '../../../callback/capacity/places.ts';
import { Fleet, tally } from '../registry/fleet.ts';

describe('places', () => {
  it('are counted over all batches, and a full server takes no more', () => {
    const fleet = new Fleet();
    const a = fleet.add('a', { maxConcurrency: 3 });
    const b = fleet.add('b', { maxConcurrency: 3 });
    expect(tally(fleet.route(4))).toEqual({ [a]: 2, [b]: 2 });
    expect(tally(fleet.route(4))).toEqual({ [a]: 1, [b]: 1, 'server-busy': 2 });
  });

  it('are restored but those that cannot be read', () => {
    const { registry, now } = new Fleet();
    const place = { service: 'ocr', beganAt: now, callMs: 1_000, calls: ['a'] };
    const good = JSON.stringify({ id: 'good', expiresAt: now + 60_000, places: [place] });
    const texts = ['{', JSON.stringify({ id: 'odd', expiresAt: now + 60_000 }), good];
    restoreLeases(registry, { read: () => texts, write: () => undefined }, now);
    expect(registry.leases.get('good')?.open.size).toBe(1);
    expect(registry.notices.map(({ event }) => event)).toEqual(['lease.unreadable', 'lease.unreadable']);
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

  it('are none for a question that comes once more when its calls have ended: nobody would bring them back', () => {
    const fleet = new Fleet();
    const a = fleet.add('a');
    const { leaseId, decisions } = fleet.route(2);
    for (const decision of decisions) fleet.report(leaseId, decision);
    expect(tally(fleet.route(2, { leaseId }))).toEqual({ 'server-busy': 2 });
    expect(fleet.server(a).inFlight).toBe(0);
  });

  it('stay the place of a server that was removed, and hurt nobody when they come back', () => {
    const fleet = new Fleet();
    fleet.add('a');
    const { leaseId, decisions } = fleet.route(1);
    fleet.registry.servers.clear();
    expect(releasePlace(fleet.registry, leaseId, decisions[0]!.id, fleet.now)).toBeDefined();
    expect(fleet.registry.services.get('ocr')?.running.size).toBe(0);
  });
});

describe('a copy of a question that comes after a later one was answered', () => {
  it('gets no place: nobody waits for it any more', () => {
    const fleet = new Fleet();
    const ask = { leaseId: 'asked twice', waits: 1 };
    const [first, second] = [
      { ...ask, awaitedUntil: fleet.now + 9_000 },
      { ...ask, awaitedUntil: fleet.now + 10_000 },
    ];
    expect(tally(fleet.route(1, second))).toEqual({ 'no-server': 1 });
    const a = fleet.add('a');
    expect(tally(fleet.route(1, first))).toEqual({ 'server-busy': 1 });
    expect(fleet.server(a).inFlight).toBe(0);
    // Asked again by the same copy, as where it is held.
    expect(tally(fleet.route(1, second))).toEqual({ [a]: 1 });
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
          waiting.push({ until: decision.until ?? Infinity, waits: waits + 1 });
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
  const running = (fleet: Fleet) => fleet.registry.services.get('ocr')?.running.size;

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
