import { describe, expect, it } from 'vitest';
import { giveUpLease } from '../../../callback/capacity/places.ts';
import { noteLimited } from '../../../callback/services/services.ts';
import { Fleet, tally } from '../registry/fleet.ts';

const FIXED = { ocr: { baseUrl: 'https://fixed.example.net' }, other: { baseUrl: 'https://other.example.net' } };
const invocation = (id: number, shard = 0) => ({ id: `invocation ${String(id).padStart(8, '0')}`, shard, most: 4 });

describe('the calls of one service', () => {
  it('keep a share of the invocations of a shard, however many calls each makes, and the others stand in line', () => {
    const fleet = new Fleet(FIXED);
    for (let id = 0; id < 4; id++)
      expect(tally(fleet.route(10, { invocation: invocation(id) }))).toEqual({ fixed: 10 });
    expect(fleet.route(1, { invocation: invocation(4) }).decisions).toMatchObject([
      { why: 'server-busy', line: 'service:ocr' },
    ]);
    // One that keeps its invocation anyway costs nobody anything.
    expect(tally(fleet.route(1, { invocation: invocation(0), waits: 1 }))).toEqual({ fixed: 1 });
    expect(tally(fleet.route(1, { invocation: invocation(4, 1), waits: 1 }))).toEqual({ fixed: 1 });
    expect(tally(fleet.route(1, { invocation: invocation(4), service: 'other' }))).toEqual({ fixed: 1 });
  });

  it('leave an invocation with the last of them, by report, by expiry and by giving up', () => {
    const fleet = new Fleet(FIXED);
    const [first, second] = [0, 1].map((id) => fleet.route(2, { invocation: invocation(id) }));
    fleet.route(2, { invocation: invocation(2), expiresAt: fleet.now + 1_000 });
    const kept = () => fleet.registry.services.get('ocr')?.shares.get(0)?.kept.size;
    expect(kept()).toBe(3);
    fleet.report(first!.leaseId, first!.decisions[0]);
    expect(kept()).toBe(3);
    fleet.report(first!.leaseId, first!.decisions[1]);
    expect(kept()).toBe(2);
    giveUpLease(fleet.registry, second!.leaseId, fleet.now + 60_000, fleet.now);
    expect(kept()).toBe(1);
    fleet.now += 1_000;
    fleet.route(0);
    expect(kept()).toBe(0);
  });

  it('that run without a place are counted when they last, whatever the share', () => {
    const fleet = new Fleet(FIXED);
    for (let id = 0; id < 6; id++) fleet.route(1, { invocation: invocation(id), isUnderWay: true });
    expect(fleet.registry.services.get('ocr')?.shares.get(0)?.kept.size).toBe(6);
    expect(fleet.route(1, { invocation: invocation(6) }).decisions).toMatchObject([{ line: 'service:ocr' }]);
  });

  it('are asked for from half of the share on, until they keep less than a quarter', () => {
    const fleet = new Fleet(FIXED);
    const isAsked = () => {
      noteLimited(fleet.registry, fleet.now);
      return fleet.registry.catalog.limited.has('ocr');
    };
    const first = fleet.route(1, { invocation: invocation(0) });
    expect(isAsked()).toBe(false);
    const second = fleet.route(1, { invocation: invocation(1) });
    expect(isAsked()).toBe(true);
    fleet.report(second.leaseId, second.decisions[0]);
    expect(isAsked()).toBe(true);
    fleet.report(first.leaseId, first.decisions[0]);
    expect(isAsked()).toBe(false);
  });

  it('are counted after a sleep of the registry as before', () => {
    const fleet = new Fleet(FIXED);
    for (let id = 0; id < 4; id++) fleet.route(1, { invocation: invocation(id) });
    fleet.restart('sleep');
    expect(fleet.route(1, { invocation: invocation(4) }).decisions).toMatchObject([{ line: 'service:ocr' }]);
  });
});
