/** Which server a call gets, and what it is told when it gets none. */
import { describe, expect, it } from 'vitest';
import { viewServer } from '../../../callback/registry/view.ts';
import { setPaused } from '../../../callback/services/services.ts';
import { Fleet, tally } from '../registry/fleet.ts';

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
