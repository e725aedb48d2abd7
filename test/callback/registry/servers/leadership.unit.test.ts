import { describe, expect, it } from 'vitest';
import { claimLeadership } from '../../../../callback/registry/servers/heartbeat.ts';
import { isLeader } from '../../../../callback/registry/servers/leadership.ts';
import { livenessStatusOf } from '../../../../callback/registry/servers/liveness.ts';
import { alice, BEAT_MS, bob, Fleet } from '../fleet.ts';

const WANTS = { wantsHeartbeatLeadership: true };

const leadersAmong = (fleet: Fleet, ids: readonly string[]) =>
  ids.filter((id) => isLeader(fleet.registry, fleet.server(id)));

describe('leadership', () => {
  it('goes to the first server with services that wants it, and the others learn its address', () => {
    const fleet = new Fleet();
    fleet.add('idle', { ...WANTS, services: [] });
    fleet.add('modest');
    const first = fleet.register('a', { ...WANTS, agentUrl: 'https://a.example.net:9000' });
    const second = fleet.register('b', WANTS);
    expect(first).toMatchObject({ value: { isHeartbeatLeader: true, heartbeatLeaderUrl: undefined } });
    expect(second).toMatchObject({
      value: { isHeartbeatLeader: false, heartbeatLeaderUrl: 'https://a.example.net:9000' },
    });
  });

  it('is one a cluster and owner', () => {
    const fleet = new Fleet();
    const ids = [
      fleet.add('a', WANTS),
      fleet.add('b', { ...WANTS, cluster: 'east' }),
      fleet.add('c', WANTS, bob),
      fleet.add('d', WANTS),
    ];
    expect(leadersAmong(fleet, ids)).toEqual(ids.slice(0, 3));
    // Bob's leader cannot speak for Alice's servers.
    fleet.now += 10_000;
    fleet.lead(ids[2]!, { [ids[3]!]: false }, bob);
    expect(livenessStatusOf(fleet.registry, fleet.server(ids[3]!), fleet.now).state).toBe('healthy');
  });

  it('tells the leader whom to look after', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', WANTS);
    const member = fleet.add('b', { agentUrl: 'https://b.example.net:9000' });
    fleet.add('elsewhere', { cluster: 'east' });
    expect(fleet.lead(leader, {})).toMatchObject({
      value: {
        isHeartbeatLeader: true,
        members: [{ id: member, url: 'https://b.example.net', agentUrl: 'https://b.example.net:9000' }],
      },
    });
  });

  it('passes to the next that asks when the leader is silent for one and a half intervals', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', WANTS);
    const next = fleet.add('b', WANTS);
    fleet.now += 1.5 * BEAT_MS;
    expect(fleet.beat(next)).toMatchObject({ value: { isHeartbeatLeader: false } });
    fleet.now += 1;
    expect(fleet.beat(next)).toMatchObject({ value: { isHeartbeatLeader: true } });
    expect(leadersAmong(fleet, [leader, next])).toEqual([next]);
  });

  it('is told to an old leader that returns: two believe in it for less than an interval', () => {
    const fleet = new Fleet();
    const old = fleet.add('a', WANTS);
    const next = fleet.add('b', WANTS);
    fleet.now += 2 * BEAT_MS;
    fleet.beat(next);
    fleet.now += BEAT_MS / 2;
    const answer = fleet.lead(old, { [next]: false });
    expect(answer).toMatchObject({ ok: false, code: 'not-heartbeat-leader' });
    expect(answer).toHaveProperty('detail', expect.stringContaining('https://b.example.net'));
    // Its word on others does not count, its own life does.
    expect(livenessStatusOf(fleet.registry, fleet.server(next), fleet.now).state).toBe('healthy');
    expect(fleet.server(old).lastHeardAt).toBe(fleet.now);
    expect(fleet.beat(old)).toMatchObject({
      value: { isHeartbeatLeader: false, heartbeatLeaderUrl: 'https://b.example.net', members: [] },
    });
  });

  it('stays with a leader that was silent when nobody asked meanwhile', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', WANTS);
    fleet.now += 10 * BEAT_MS;
    expect(fleet.lead(leader, {})).toMatchObject({ value: { isHeartbeatLeader: true } });
  });

  it('is granted to one of several that claim it at once', () => {
    const fleet = new Fleet();
    const ids = ['a', 'b', 'c'].map((name) => fleet.add(name));
    const claims = ids.map((id) => claimLeadership(fleet.registry, id, alice, fleet.now));
    expect(claims.map((answer) => answer.ok && answer.value.isHeartbeatLeader)).toEqual([true, false, false]);
    expect(leadersAmong(fleet, ids)).toEqual([ids[0]]);
  });

  it('does not suffer from clocks that run apart: only its own clock counts', () => {
    const fleet = new Fleet();
    const ids = [fleet.add('a', WANTS), fleet.add('b', WANTS)];
    // The first beats a third too slowly, the second too quickly, for an hour.
    let leads = 0;
    for (let at = 0; at < 3_600_000; at += 1_000) {
      fleet.now += 1_000;
      if (at % 40_000 === 0) fleet.lead(ids[0]!, { [ids[1]!]: true });
      if (at % 20_000 === 0) fleet.lead(ids[1]!, { [ids[0]!]: true });
      if (leadersAmong(fleet, ids).length === 1) leads++;
      for (const id of ids) expect(livenessStatusOf(fleet.registry, fleet.server(id), fleet.now).state).toBe('healthy');
    }
    expect(leads).toBe(3_600);
    expect(leadersAmong(fleet, ids)).toEqual([ids[0]]);
  });

  it('ends with the services of the leader, with its removal, and with a move to another cluster', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', WANTS);
    const next = fleet.add('b', WANTS);
    fleet.add('a', { ...WANTS, services: [] });
    expect(leadersAmong(fleet, [leader, next])).toEqual([]);
    fleet.beat(next);
    expect(leadersAmong(fleet, [leader, next])).toEqual([next]);
    fleet.add('b', { ...WANTS, cluster: 'east' });
    fleet.add('a', WANTS);
    expect(leadersAmong(fleet, [leader, next])).toEqual([leader, next]);
  });

  it('needs no name when the sender has one leader only', () => {
    const fleet = new Fleet();
    fleet.add('a', WANTS);
    const unnamed = () => fleet.lead(undefined as unknown as string, {});
    expect(unnamed()).toMatchObject({ ok: true });
    fleet.add('b', { ...WANTS, cluster: 'east' });
    expect(unnamed()).toMatchObject({ ok: false, code: 'invalid-request' });
  });
});
