import { describe, expect, it } from 'vitest';
import { noteChecks, takeDueChecks } from '../../../../callback/registry/servers/health-check.ts';
import { heartbeat } from '../../../../callback/registry/servers/heartbeat.ts';
import { isAvailable, livenessStatusOf, watchLiveness } from '../../../../callback/registry/servers/liveness.ts';
import { setMaintenance } from '../../../../callback/registry/servers/members.ts';
import { viewServer } from '../../../../callback/registry/view.ts';
import { OfferedServiceSchema } from '../../../../shared/registry/registration.ts';
import { alice, BEAT_MS, bob, Fleet } from '../fleet.ts';

const stateOf = (fleet: Fleet, id: string) => livenessStatusOf(fleet.registry, fleet.server(id), fleet.now).state;

const offered = (services: readonly object[]) => services.map((service) => OfferedServiceSchema.parse(service));

/** Makes the checks that are due. @returns the servers that were asked */
function check(fleet: Fleet, answers: (id: string) => boolean = () => true): string[] {
  const due = takeDueChecks(fleet.registry, fleet.now);
  const results = due.map(({ serverId = '', service }) => {
    const problem = answers(serverId) ? undefined : 'answered 503';
    return { serverId, service, problem, isReached: true };
  });
  noteChecks(fleet.registry, results, fleet.now);
  return results.map(({ serverId }) => serverId);
}

/** Lets time pass in seconds, makes the checks that come up, and tells when. */
function checksDuring(
  fleet: Fleet,
  seconds: number,
  answers?: (id: string) => boolean,
  beats: string[] = [],
): number[] {
  const times: number[] = [];
  for (let second = 1; second <= seconds; second++) {
    fleet.now += 1_000;
    if (second % 30 === 0) for (const id of beats) fleet.beat(id);
    if (check(fleet, answers).length > 0) times.push(second);
  }
  return times;
}

describe('a server', () => {
  it('is healthy for 90 seconds after its last word, and unhealthy after that', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    fleet.beat(id);
    fleet.now += 3 * BEAT_MS;
    expect(stateOf(fleet, id)).toBe('healthy');
    fleet.now += 1;
    expect(stateOf(fleet, id)).toBe('unhealthy');
    expect(viewServer(fleet.registry, fleet.server(id), fleet.now)).toMatchObject({
      why: 'no contact for 90 s',
      services: [{ healthy: false, why: 'no contact for 90 s' }],
    });
    fleet.beat(id);
    expect(stateOf(fleet, id)).toBe('healthy');
  });

  it('is unhealthy while it says so, and while its leader cannot reach it', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', { wantsHeartbeatLeadership: true });
    const id = fleet.add('b');
    fleet.beat(id, { status: 'unhealthy' });
    fleet.lead(leader, { [id]: true });
    // The leader does not know better, neither way.
    expect(stateOf(fleet, id)).toBe('unhealthy');
    fleet.lead(leader, { [id]: false });
    fleet.lead(leader, { [id]: true });
    expect(stateOf(fleet, id)).toBe('unhealthy');
    fleet.beat(id);
    expect(stateOf(fleet, id)).toBe('healthy');
    fleet.lead(leader, { [id]: false });
    expect(stateOf(fleet, id)).toBe('unhealthy');
    fleet.lead(leader, { [id]: true });
    expect(stateOf(fleet, id)).toBe('healthy');
  });

  it('lives on the word of its leader alone', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', { wantsHeartbeatLeadership: true });
    const id = fleet.add('b');
    for (let beat = 0; beat < 20; beat++) {
      fleet.now += BEAT_MS;
      fleet.lead(leader, { [id]: true });
    }
    expect([leader, id].map((each) => stateOf(fleet, each))).toEqual(['healthy', 'healthy']);
  });

  it('is removed after an hour of silence, and then its URL is free for others', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    fleet.now += 3_600_000;
    expect(fleet.register('a', {}, bob)).toMatchObject({ ok: false, code: 'forbidden' });
    fleet.now += 1;
    expect(fleet.register('a', {}, bob)).toMatchObject({ ok: true, value: { created: true } });
    expect(fleet.registry.servers.has(id)).toBe(false);
  });

  it('is not removed while calls run on it', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    fleet.route(1, { expiresAt: fleet.now + 10_000_000 });
    fleet.now += 3_600_001;
    watchLiveness(fleet.registry, fleet.now);
    expect(fleet.registry.servers.has(id)).toBe(true);
  });

  it('drains: no new work, running work ends, then it is drained, and comes back as it was', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    const running = fleet.call();
    setMaintenance(fleet.registry, fleet.server(id), true, fleet.now);
    expect(stateOf(fleet, id)).toBe('draining');
    expect(fleet.call().server).toBe('no-server');
    running.report({});
    expect(stateOf(fleet, id)).toBe('drained');
    expect(fleet.register('a')).toMatchObject({ ok: true, value: { created: false } });
    expect(stateOf(fleet, id)).toBe('drained');
    setMaintenance(fleet.registry, fleet.server(id), false, fleet.now);
    expect(fleet.call({ waits: 1 }).server).toBe(id);
  });

  it('keeps what is known of its services when it registers again, except for those that moved', () => {
    const fleet = new Fleet({ ocr: {}, scan: {} });
    const services = [{ name: 'ocr' }, { name: 'scan', port: 8081 }];
    const id = fleet.add('a', { services });
    fleet.call().report({});
    fleet.add('A', {
      services: [
        { name: 'ocr', version: '2' },
        { name: 'scan', port: 8082 },
      ],
    });
    expect(fleet.offer(id).picked).toBe(1);
    expect(fleet.offer(id).service.version).toBe('2');
    expect(fleet.offer(id, 'scan').address.baseUrl).toBe('https://a.example.net:8082');
  });

  it.each([
    [{ url: 'http://a.example.net' }, 'https'],
    [{ url: 'https://10.0.0.1' }, 'not a public address'],
    [{ url: 'https://a.example.net/?x=1' }, 'no query'],
    [{ services: [{ name: 'ocr', path: '/v1?x=1' }] }, 'no query'],
  ])('is refused with %j', (more, why) => {
    const answer = new Fleet().register('a', more);
    expect(answer).toMatchObject({ ok: false, code: 'invalid-request', detail: expect.stringContaining(why) });
  });

  it('is one of at most 200 of its owner, who crowd out nobody else', () => {
    const fleet = new Fleet();
    for (let server = 0; server < 200; server++) fleet.add(`host-${server}`);
    expect(fleet.register('one-more')).toMatchObject({ ok: false, code: 'invalid-request' });
    // The same again, and somebody else's, are welcome.
    expect(fleet.register('host-7')).toMatchObject({ ok: true, value: { created: false } });
    expect(fleet.register('of-bob', {}, bob)).toMatchObject({ ok: true });
  });

  it('offers at most a thousand services together with the others of its owner', () => {
    const fleet = new Fleet();
    const services = Array.from({ length: 100 }, (_, number) => ({ name: `service-${number}` }));
    for (let server = 0; server < 10; server++) fleet.add(`host-${server}`, { services });
    expect(fleet.register('one-more')).toMatchObject({ ok: false, code: 'invalid-request' });
    const id = fleet.add('host-9', { services: services.slice(1) });
    fleet.add('one-more');
    fleet.now += 1_000;
    const beat = heartbeat(fleet.registry, id, { status: 'healthy', services: offered(services) }, alice, fleet.now);
    expect(beat).toMatchObject({ ok: false, code: 'invalid-request' });
  });

  it('may have an agent in a private network: only its leader calls it', () => {
    expect(new Fleet().register('a', { agentUrl: 'http://10.0.0.7:9000' })).toMatchObject({ ok: true });
  });
});

describe('health checks', () => {
  it('begin every 15 seconds and double to five minutes while all is well', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    const times = checksDuring(fleet, 1_800, undefined, [id]);
    expect(times).toEqual([15, 45, 105, 225, 465, 765, 1_065, 1_365, 1_665]);
  });

  it('come every 15 seconds again after a failure; two in a row take the service out', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    checksDuring(fleet, 770, undefined, [id]);
    let fails = true;
    const times = checksDuring(fleet, 400, () => !fails, [id]);
    expect(times.slice(0, 3)).toEqual([295, 310, 325]);
    expect(isAvailable(fleet.registry, fleet.offer(id), fleet.now)).toBe(false);
    expect(viewServer(fleet.registry, fleet.server(id), fleet.now).services[0]?.why).toMatch(
      /^health check: answered 503 since 20/,
    );
    fails = false;
    checksDuring(fleet, 15, undefined, [id]);
    expect(isAvailable(fleet.registry, fleet.offer(id), fleet.now)).toBe(true);
  });

  it('are per service: one that fails leaves the others in use', () => {
    const fleet = new Fleet({ ocr: {}, scan: {} });
    const id = fleet.add('a', { services: [{ name: 'ocr' }, { name: 'scan' }] });
    fleet.beat(id);
    for (let round = 0; round < 3; round++) {
      const results = [
        { serverId: id, service: 'ocr', problem: undefined, isReached: true },
        { serverId: id, service: 'scan', problem: round === 0 ? undefined : 'x', isReached: true },
      ];
      noteChecks(fleet.registry, results, fleet.now);
    }
    expect(isAvailable(fleet.registry, fleet.offer(id), fleet.now)).toBe(true);
    expect(isAvailable(fleet.registry, fleet.offer(id, 'scan'), fleet.now)).toBe(false);
  });

  it('end for a server that heartbeats and never answered one: it is not reachable from here', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    fleet.beat(id);
    expect(checksDuring(fleet, 3_600, () => false, [id])).toHaveLength(3);
    expect(isAvailable(fleet.registry, fleet.offer(id), fleet.now)).toBe(true);
  });

  it('are the life of a server that never heartbeats', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    let there = true;
    checksDuring(fleet, 7_200, () => there);
    expect(stateOf(fleet, id)).toBe('healthy');
    there = false;
    checksDuring(fleet, 600, () => there);
    expect(isAvailable(fleet.registry, fleet.offer(id), fleet.now)).toBe(false);
  });

  it('are not made of servers that a leader covers, nor of the leader, nor of drained ones', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', { wantsHeartbeatLeadership: true });
    const covered = fleet.add('b');
    const drained = fleet.add('c');
    setMaintenance(fleet.registry, fleet.server(drained), true, fleet.now);
    const asked = new Set<string>();
    for (let second = 0; second < 3_600; second++) {
      if (second % 30 === 0) fleet.lead(leader, { [covered]: true });
      fleet.now += 1_000;
      for (const id of check(fleet)) asked.add(id);
    }
    expect([...asked]).toEqual([]);
  });

  it('begin again when the leader falls silent', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', { wantsHeartbeatLeadership: true });
    const id = fleet.add('b');
    fleet.lead(leader, { [id]: true });
    fleet.now += 3 * BEAT_MS;
    expect(check(fleet)).toEqual([]);
    fleet.now += 1;
    fleet.beat(id);
    expect(check(fleet)).toEqual([id]);
  });

  it('come at once when the calls of a server fail', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    checksDuring(fleet, 1_100, undefined, [id]);
    for (let call = 0; call < 5; call++) fleet.call().report({ outcome: 'failed' });
    expect(check(fleet)).toEqual([id]);
  });

  it('are made together when they are nearly due', () => {
    const fleet = new Fleet();
    const ids: string[] = [];
    for (let server = 0; server < 20; server++) {
      ids.push(fleet.add(`host-${server}`));
      fleet.now += 7_000;
      for (const id of ids) fleet.beat(id);
      check(fleet);
    }
    checksDuring(fleet, 3_600, undefined, ids);
    expect(checksDuring(fleet, 3_600, undefined, ids).length).toBeLessThanOrEqual(13);
  });

  it('tell nothing of a server that was removed meanwhile', () => {
    const fleet = new Fleet();
    const result = { serverId: 'srv_0000000000000009', service: 'ocr', problem: undefined, isReached: true };
    noteChecks(fleet.registry, [result], fleet.now);
    expect(fleet.registry.servers.size).toBe(0);
  });
});

describe('an owner', () => {
  it('is the only one who beats for a server', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    expect(fleet.beat(id, {}, bob)).toMatchObject({ ok: false, code: 'server-not-found' });
    expect(fleet.beat(id, {}, { subject: 'root', isAdmin: true })).toMatchObject({ ok: true });
    expect(fleet.beat('srv_0000000000000009', {}, alice)).toMatchObject({ ok: false, code: 'server-not-found' });
  });
});
