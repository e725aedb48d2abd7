import { describe, expect, it } from 'vitest';
import { noteChecks, takeDueChecks } from '../../../callback/registry/servers/health-check.ts';
import { isLeader } from '../../../callback/registry/servers/leadership.ts';
import { livenessStatusOf } from '../../../callback/registry/servers/liveness.ts';
import { removeServer } from '../../../callback/registry/servers/members.ts';
import { restoreServers, snapshotServers } from '../../../callback/registry/snapshot.ts';
import { BEAT_MS, Fleet } from './fleet.ts';

const HOUR_MS = 3_600_000;

describe('after an eviction', () => {
  it('a silent leader is replaced as if it had spoken at the restart, and members stay covered', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', { wantsHeartbeatLeadership: true });
    const member = fleet.add('b', { wantsHeartbeatLeadership: true });
    fleet.lead(leader, { [member]: true });
    fleet.restart();
    expect(isLeader(fleet.registry, fleet.server(leader))).toBe(true);
    fleet.now += 60_000;
    // No checks: the leader has three intervals to speak for its members again.
    expect(takeDueChecks(fleet.registry, fleet.now)).toEqual([]);
    expect(livenessStatusOf(fleet.registry, fleet.server(member), fleet.now).state).toBe('healthy');
    expect(fleet.beat(member)).toMatchObject({ value: { isHeartbeatLeader: true } });
  });

  it('a server that never answered a check is not checked again', () => {
    const fleet = new Fleet();
    const id = fleet.add('a');
    for (let check = 0; check < 3; check++) {
      fleet.beat(id);
      const result = { serverId: id, service: 'ocr', problem: 'could not be reached', isReached: false };
      noteChecks(fleet.registry, [result], fleet.now);
    }
    fleet.restart();
    fleet.now += BEAT_MS;
    fleet.beat(id);
    expect(takeDueChecks(fleet.registry, fleet.now)).toEqual([]);
  });

  it('a server that was silent for long before does not rise again', () => {
    const fleet = new Fleet();
    fleet.add('a');
    const text = snapshotServers(fleet.registry, fleet.now);
    const later = new Fleet();
    restoreServers(later.registry, text, fleet.now + 2 * HOUR_MS);
    expect(later.registry.servers.size).toBe(1);
    const muchLater = new Fleet();
    restoreServers(muchLater.registry, text, fleet.now + 2 * HOUR_MS + 1);
    expect(muchLater.registry.servers.size).toBe(0);
  });

  it('the release before finds the list of places without which it does not start, also in a complete snapshot', () => {
    const fleet = new Fleet();
    fleet.registry.stored.isComplete = true;
    expect(JSON.parse(snapshotServers(fleet.registry, fleet.now))).toMatchObject({ isComplete: true, places: [] });
  });

  it('the snapshot of another version is not read: servers register again', () => {
    const fleet = new Fleet();
    fleet.add('a', { wantsHeartbeatLeadership: true });
    const text = snapshotServers(fleet.registry, fleet.now).replace(/"version":\d+/, '"version":0');
    const other = new Fleet();
    restoreServers(other.registry, text, fleet.now);
    expect([other.registry.servers.size, other.registry.leaders.size]).toEqual([0, 0]);
  });

  it('nobody leads in the name of a server that is gone', () => {
    const fleet = new Fleet();
    const leader = fleet.add('a', { wantsHeartbeatLeadership: true });
    removeServer(fleet.registry, fleet.server(leader));
    expect(fleet.registry.leaders.size).toBe(0);
    fleet.restart();
    expect(fleet.registry.leaders.size).toBe(0);
  });
});
