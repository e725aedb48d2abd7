import { describe, expect, it } from 'vitest';
import { linesOf, takeDueReleases } from '../../../callback/capacity/line.ts';
import { route } from '../../../callback/capacity/route.ts';
import { learnFlow, pauseFlow, putFlow, viewFlow } from '../../../callback/flows/flows.ts';
import { restoreServers, snapshotServers } from '../../../callback/registry/snapshot.ts';
import { flowName } from '../../../shared/flow/flow.ts';
import { Fleet } from '../registry/fleet.ts';

const FLOW = flowName('alice', 'acme');

let calls = 0;

/** So many tasks of the flow ask for a place at once, each of a batch of its own. */
function ask(fleet: Fleet, count: number, limits: object = { concurrency: 2 }, waits = 0) {
  return Array.from({ length: count }, () => {
    calls += 1;
    const request = {
      leaseId: `lease-of-the-call-${calls}`,
      expiresAt: fleet.now + 60_000,
      calls: [{ id: `call-${calls}`, service: FLOW, waits, limits }],
    };
    return route(fleet.registry, request, fleet.now, Math.random).decisions[0];
  });
}

const kinds = (decisions: ReturnType<typeof ask>) =>
  decisions.map((decision) => (decision?.is === 'waiting' && decision.line !== undefined ? 'in line' : decision?.is));

describe('tasks of a flow', () => {
  it('take as many places as it has, and stand in its line with the others', () => {
    const fleet = new Fleet();
    expect(kinds(ask(fleet, 2))).toEqual(['routed', 'routed']);
    fleet.registry.services.get(FLOW)!.meanMs = 60_000;
    expect(kinds(ask(fleet, 2))).toEqual(['in line', 'in line']);
    expect(linesOf(fleet.registry, FLOW).map(({ name }) => name)).toEqual([FLOW]);
  });

  it('keep to a rate, whatever the period, and follow nobody in a place', () => {
    const fleet = new Fleet();
    const limits = { rate: 30, periodSeconds: 60 };
    expect(kinds(ask(fleet, 1, limits))).toEqual(['routed']);
    const [next] = ask(fleet, 1, limits);
    expect(next).toMatchObject({ is: 'waiting', why: 'flow-limited', until: fleet.now + 2_000 });
    fleet.now += 2_001;
    expect(kinds(ask(fleet, 1, limits, 1))).toEqual(['routed']);
  });

  it('go by the limits that the newest of them says, until a person says them', () => {
    const fleet = new Fleet();
    learnFlow(fleet.registry, FLOW, { concurrency: 1 }, fleet.now);
    learnFlow(fleet.registry, FLOW, { concurrency: 3 }, fleet.now);
    expect(viewFlow(fleet.registry, FLOW, 0, fleet.now)).toMatchObject({
      value: { limits: { concurrency: 3 }, source: 'task' },
    });
    putFlow(fleet.registry, FLOW, { concurrency: 5 }, fleet.now);
    learnFlow(fleet.registry, FLOW, { concurrency: 9 }, fleet.now);
    expect(viewFlow(fleet.registry, FLOW, 7, fleet.now)).toMatchObject({
      value: { limits: { concurrency: 5 }, source: 'api', waiting: 7 },
    });
  });

  it('wait while it is paused, and are released when it is resumed', () => {
    const fleet = new Fleet();
    pauseFlow(fleet.registry, FLOW, { reason: 'their holiday' }, fleet.now);
    const [decision] = ask(fleet, 1);
    expect(decision).toMatchObject({ is: 'waiting', why: 'paused', line: FLOW });
    expect(takeDueReleases(fleet.registry, fleet.now)).toEqual([]);
    pauseFlow(fleet.registry, FLOW, undefined, fleet.now);
    expect(takeDueReleases(fleet.registry, fleet.now)).toMatchObject([{ line: FLOW, limit: 2 }]);
  });

  it('find its limits, its pause and its line again after a restart of its object', () => {
    const fleet = new Fleet();
    putFlow(fleet.registry, FLOW, { concurrency: 5 }, fleet.now);
    const other = new Fleet();
    restoreServers(other.registry, snapshotServers(fleet.registry, fleet.now), fleet.now);
    expect(viewFlow(other.registry, FLOW, 0, fleet.now)).toMatchObject({ value: { limits: { concurrency: 5 } } });
    expect(viewFlow(other.registry, flowName('bob', 'acme'), 0, fleet.now)).toMatchObject({ code: 'flow-not-found' });
  });

  it('leave nothing behind: flows that are idle are forgotten when there are many', () => {
    const fleet = new Fleet();
    for (let at = 0; at < 2_000; at++) learnFlow(fleet.registry, flowName('alice', `k${at}`), {}, fleet.now);
    fleet.now += 700_000;
    learnFlow(fleet.registry, FLOW, {}, fleet.now);
    expect(fleet.registry.flows.size).toBe(1);
  });
});
