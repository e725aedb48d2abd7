import { describe, expect, it } from 'vitest';
import { Cluster, INTERVAL_MS } from './cluster.ts';

function started(count = 3): Cluster {
  const cluster = new Cluster();
  for (let number = 1; number <= count; number++) cluster.add(`srv-${number}`);
  cluster.run(1_000);
  return cluster;
}

describe('a cluster', () => {
  it('has its first agent for leader, and followers that send nothing while they are probed', () => {
    const cluster = started();
    const before = cluster.nodes.map(({ sent }) => sent.length);
    cluster.run(10 * INTERVAL_MS);
    const sent = cluster.nodes.map((node, index) => node.sent.length - (before[index] ?? 0));
    expect(cluster.nodes.map(({ leads }) => leads)).toEqual([true, false, false]);
    expect(sent).toEqual([10, 0, 0]);
    expect([...cluster.reported]).toEqual([
      ['srv-2', true],
      ['srv-3', true],
    ]);
  });

  it('has another leader within two intervals when its leader falls silent, and never two', () => {
    const cluster = started();
    cluster.run(2.5 * INTERVAL_MS);
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('no first');
    first.alive = false;
    const silentAt = cluster.now;
    let takenOverAt = 0;
    cluster.run(4 * INTERVAL_MS, () => {
      const leaders = cluster.nodes.filter(({ leads }) => leads);
      expect(leaders.length).toBeLessThan(2);
      if (leaders.length === 1 && takenOverAt === 0) takenOverAt = cluster.now;
    });
    expect(takenOverAt - silentAt).toBeLessThanOrEqual(2 * INTERVAL_MS);
    expect(takenOverAt).toBeGreaterThan(0);
  });

  it('has another leader at once when its leader leaves in order, and nobody else asks twice', () => {
    const cluster = started(4);
    cluster.run(INTERVAL_MS);
    const [first, ...others] = cluster.nodes;
    first?.receive({ kind: 'told-to-stop' }, cluster.now);
    cluster.run(1_000);
    expect(others.filter(({ leads }) => leads)).toHaveLength(1);
    cluster.run(5 * INTERVAL_MS);
    expect(others.flatMap(({ sent }) => sent).filter(({ kind }) => kind === 'claim')).toHaveLength(3);
    expect(others.flatMap(({ events }) => events).map(({ event }) => event)).not.toContain('claim-refused');
  });

  it('probes a new member before that one misses its leader', () => {
    const cluster = started(2);
    const late = cluster.add('srv-3');
    cluster.run(3 * INTERVAL_MS);
    expect(late.sent.map(({ kind }) => kind)).toEqual(['register']);
  });

  it('has one leader again within an interval when the old one comes back, and the old one steps down at once', () => {
    const cluster = started();
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new Error('too few');
    cluster.run(INTERVAL_MS);
    // Frozen, not dead: it still thinks that it leads.
    first.alive = false;
    cluster.run(3 * INTERVAL_MS);
    first.alive = true;
    let together = 0;
    cluster.run(3 * INTERVAL_MS, () => {
      if (cluster.nodes.filter(({ leads }) => leads).length > 1) together += 100;
    });
    expect(together).toBeLessThanOrEqual(INTERVAL_MS);
    expect(first.leads).toBe(false);
    expect(first.events).toContainEqual(expect.objectContaining({ event: 'stepped-down' }));
  });

  it('has another leader when the old one alone cannot reach the coordinator', () => {
    const cluster = started();
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('no first');
    cluster.run(INTERVAL_MS);
    cluster.cutOff.add(first.id);
    cluster.run(3 * INTERVAL_MS);
    expect(cluster.leader).not.toBe(first.id);
    cluster.cutOff.delete(first.id);
    cluster.run(1_000);
    expect(cluster.nodes.filter(({ leads }) => leads)).toHaveLength(1);
    expect(first.leads).toBe(false);
  });

  it('lets a leader that is probed ask at once whether it still leads', () => {
    const cluster = started();
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('no first');
    cluster.run(2_000);
    cluster.leader = 'srv-2';
    first.receive({ kind: 'probed-by-leader', isLeaveNotice: false }, cluster.now);
    cluster.run(200);
    expect(first.leads).toBe(false);
  });

  it('reports a member that it reached before as down, and leaves out one that it never reached', () => {
    const cluster = started();
    cluster.run(INTERVAL_MS);
    const [, second] = cluster.nodes;
    if (second === undefined) throw new Error('no second');
    second.alive = false;
    cluster.add('srv-4', { mayLead: false });
    cluster.run(100);
    // It registered, and nobody can reach it.
    const unreachable = cluster.nodes.at(-1);
    if (unreachable !== undefined) unreachable.alive = false;
    cluster.run(2 * INTERVAL_MS);
    expect(cluster.reported.get('srv-2')).toBe(false);
    expect(cluster.reported.has('srv-4')).toBe(false);
    const events = cluster.nodes[0]?.events ?? [];
    expect(events.filter(({ event }) => event === 'member-unreachable')).toHaveLength(1);
    expect(events.filter(({ event }) => event === 'member-down')).toHaveLength(1);
  });

  it('lets followers without a listener, and those that may not lead, speak for themselves', () => {
    const cluster = started(1);
    const silent = cluster.add('srv-2', { listens: false });
    const humble = cluster.add('srv-3', { mayLead: false });
    cluster.run(1_000);
    const first = cluster.nodes[0];
    if (first !== undefined) first.alive = false;
    cluster.run(5 * INTERVAL_MS);
    expect(silent.sent.filter(({ kind }) => kind === 'heartbeat').length).toBeGreaterThanOrEqual(4);
    expect(humble.sent.filter(({ kind }) => kind === 'heartbeat').length).toBeGreaterThanOrEqual(3);
    expect([...silent.sent, ...humble.sent].filter(({ kind }) => kind === 'claim')).toEqual([]);
  });

  it('keeps a follower alive whose leader leads and does not probe it', () => {
    const cluster = started(2);
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new Error('too few');
    cluster.run(100);
    // The leader's reports go on, the probes are lost.
    const { status } = first.state;
    if (status.kind !== 'registered' || status.role.kind !== 'leader') throw new Error('does not lead');
    const before = second.sent.length;
    cluster.run(4 * INTERVAL_MS, () => {
      const now = first.state.status;
      if (now.kind === 'registered' && now.role.kind === 'leader') {
        first.state = { ...first.state, status: { ...now, role: { ...now.role, members: [] } } };
      }
    });
    const sent = second.sent.slice(before).map(({ kind }) => kind);
    expect(sent.filter((kind) => kind === 'heartbeat').length).toBeGreaterThanOrEqual(2);
    expect(second.leads).toBe(false);
    expect(second.events.filter(({ event }) => event === 'claim-refused')).toHaveLength(1);
  });
});
