import { describe, expect, it } from 'vitest';
import { advance, type Input } from '../../agent/advance.ts';
import { nextAction } from '../../agent/decide.ts';
import { type AgentState, newAgent } from '../../agent/state.ts';
import type { OfferedService } from '../../shared/registry/registration.ts';
import { Cluster, INTERVAL_MS } from './cluster.ts';

const OCR: OfferedService = { name: 'ocr', path: '/', healthPath: '/health', version: '1' };
const LLM: OfferedService = { name: 'llm', path: '/llm', healthPath: '/health' };
const FOLLOWER = { heartbeatIntervalSeconds: 30, isHeartbeatLeader: false, heartbeatLeaderUrl: 'http://leader' };

const registered = (services: readonly OfferedService[]): Input => ({
  kind: 'registered',
  id: 'srv-1',
  services,
  leadership: FOLLOWER,
  inMaintenance: false,
});

function stateAfter(...inputs: readonly Input[]): AgentState {
  const start = newAgent({ listens: true, mayLead: true, drainMs: 60_000 });
  return inputs.reduce((state, input) => advance(state, input, 0).state, start);
}

describe('an agent', () => {
  it('waits for the first look, then registers what answers', () => {
    expect(nextAction(stateAfter(), 0)).toEqual({ kind: 'wait', until: Number.POSITIVE_INFINITY });
    expect(nextAction(stateAfter({ kind: 'services-probed', offered: [OCR] }), 0)).toEqual({
      kind: 'register',
      services: [OCR],
    });
  });

  it.each([
    ['appears', [OCR, LLM]],
    ['goes', []],
    ['has another version', [{ ...OCR, version: '2' }]],
  ])('registers again when a service %s, and only then', (_what, offered) => {
    const state = stateAfter({ kind: 'services-probed', offered: [OCR] }, registered([OCR]));
    expect(nextAction(state, 0).kind).toBe('wait');
    const changed = advance(state, { kind: 'services-probed', offered }, 0).state;
    expect(nextAction(changed, 0)).toEqual({ kind: 'register', services: offered });
    expect(nextAction(advance(changed, registered(offered), 0).state, 0).kind).toBe('wait');
  });

  it('registers again when services changed while it registered', () => {
    const state = stateAfter(
      { kind: 'services-probed', offered: [OCR] },
      { kind: 'services-probed', offered: [LLM] },
      registered([OCR]),
    );
    expect(nextAction(state, 0)).toEqual({ kind: 'register', services: [LLM] });
  });

  it('registers again when it was forgotten', () => {
    const state = stateAfter({ kind: 'services-probed', offered: [OCR] }, registered([OCR]), { kind: 'forgotten' });
    expect(nextAction(state, 0)).toEqual({ kind: 'register', services: [OCR] });
  });

  it('without a service sends its heartbeats and does not ask to lead', () => {
    const state = stateAfter({ kind: 'services-probed', offered: [] }, registered([]));
    expect(nextAction(state, 44_999)).toEqual({ kind: 'wait', until: 45_000 });
    expect(nextAction(state, 45_000)).toEqual({ kind: 'heartbeat', id: 'srv-1' });
  });

  it('asks again a little later when its claim is refused, whatever the answer looks like', () => {
    const state = stateAfter({ kind: 'services-probed', offered: [OCR] }, registered([OCR]));
    expect(nextAction(state, 45_000)).toEqual({ kind: 'claim', id: 'srv-1' });
    for (const refusal of [{ kind: 'not-leading' }, { kind: 'claim-answered', leadership: FOLLOWER }] as const) {
      const refused = advance(state, refusal, 45_000).state;
      expect(nextAction(refused, 45_000)).toEqual({ kind: 'heartbeat', id: 'srv-1' });
      const spoken = advance(refused, { kind: 'heartbeat-answered', leadership: FOLLOWER }, 45_000).state;
      expect(nextAction(spoken, 45_000)).toEqual({ kind: 'wait', until: 52_500 });
      expect(nextAction(spoken, 52_500)).toEqual({ kind: 'claim', id: 'srv-1' });
    }
  });

  it('asks seldom after a refusal, and tells a reason once', () => {
    const state = stateAfter({ kind: 'services-probed', offered: [OCR] }, registered([OCR]), {
      kind: 'refused',
      reason: '401',
    });
    expect(nextAction(state, 1000)).toEqual({ kind: 'wait', until: 30_000 });
    expect(advance(state, { kind: 'refused', reason: '401' }, 30_000).events).toEqual([]);
    expect(advance(state, { kind: 'refused', reason: '403' }, 30_000).events).toHaveLength(1);
  });

  it('tells once that the coordinator is lost and once that it is back, and is back with all of its cluster', () => {
    const cluster = new Cluster();
    for (const id of ['srv-1', 'srv-2']) cluster.add(id);
    cluster.run(INTERVAL_MS);
    cluster.reachable = false;
    cluster.run(3 * INTERVAL_MS);
    // It comes back without its memory.
    cluster.forget();
    cluster.reachable = true;
    cluster.run(2 * INTERVAL_MS);
    for (const node of cluster.nodes) {
      const told = node.events.map(({ event }) => event);
      expect(told.filter((event) => event === 'coordinator-lost').length).toBeLessThanOrEqual(1);
      expect(told.filter((event) => event === 'coordinator-back').length).toBeLessThanOrEqual(1);
      expect(node.state.contact.kind).toBe('fine');
    }
    expect(cluster.nodes.filter(({ leads }) => leads)).toHaveLength(1);
    expect(cluster.nodes[0]?.events.map(({ event }) => event)).toContain('coordinator-back');
  });

  it('that lost the coordinator asks for it even when it is probed', () => {
    const state = stateAfter({ kind: 'services-probed', offered: [OCR] }, registered([OCR]), {
      kind: 'unreachable',
      reason: 'ECONNREFUSED',
    });
    expect(nextAction(state, 0)).toEqual({ kind: 'heartbeat', id: 'srv-1' });
  });
});

describe('an agent that is told to stop', () => {
  const running = stateAfter({ kind: 'services-probed', offered: [OCR] }, registered([OCR]));
  const told = advance(running, { kind: 'told-to-stop' }, 1_000).state;

  it('takes no more work, waits for what runs, and deregisters', () => {
    expect(nextAction(told, 1_000)).toEqual({ kind: 'drain', id: 'srv-1' });
    const draining = advance(told, { kind: 'drain-answered', drained: false }, 1_000).state;
    expect(nextAction(draining, 1_000)).toEqual({ kind: 'wait', until: 1_500 });
    expect(nextAction(draining, 1_500)).toEqual({ kind: 'look-drained', id: 'srv-1' });
    const drained = advance(draining, { kind: 'drain-answered', drained: true }, 1_500).state;
    expect(nextAction(drained, 1_500)).toEqual({ kind: 'remove', id: 'srv-1', members: [] });
    expect(nextAction(advance(drained, { kind: 'removed' }, 1_600).state, 1_600)).toEqual({ kind: 'stop' });
  });

  it('deregisters when work does not finish in time', () => {
    const draining = advance(told, { kind: 'drain-answered', drained: false }, 1_000).state;
    expect(nextAction(draining, 61_000)).toEqual({ kind: 'remove', id: 'srv-1', members: [] });
  });

  it('keeps its heartbeats while work runs, and does not become leader', () => {
    const draining = advance(told, { kind: 'drain-answered', drained: false }, 1_000).state;
    expect(nextAction(draining, 46_000)).toEqual({ kind: 'heartbeat', id: 'srv-1' });
  });

  it('gives up soon when the coordinator does not answer', () => {
    const lost = advance(told, { kind: 'unreachable', reason: 'ECONNREFUSED' }, 1_000).state;
    expect(nextAction(lost, 2_000)).toEqual({ kind: 'drain', id: 'srv-1' });
    expect(nextAction(lost, 3_000)).toEqual({ kind: 'stop' });
  });

  it('has nothing to do when it is not registered', () => {
    const state = advance(stateAfter({ kind: 'services-probed', offered: [OCR] }), { kind: 'told-to-stop' }, 0).state;
    expect(nextAction(state, 0)).toEqual({ kind: 'stop' });
  });
});
