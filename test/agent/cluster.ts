/**
 * A cluster of agents' cores under a virtual clock, with a coordinator that keeps the registry's
 * promises on leadership: the first leads, a claim is granted when the leader was silent for an interval.
 * What the real registry does is tested with real processes (`agent.e2e.test.ts`).
 */
import { advance, type Input } from '../../agent/advance.ts';
import { type Action, nextAction } from '../../agent/decide.ts';
import type { AgentEvent } from '../../agent/event.ts';
import { reportOf, seenAfter } from '../../agent/member-probe.ts';
import type { LeadershipReply } from '../../agent/role.ts';
import { type AgentState, newAgent, type Settings } from '../../agent/state.ts';

export const INTERVAL_MS = 30_000;
const STEP_MS = 100;

export class Node {
  readonly id: string;
  state: AgentState;
  alive = true;
  /** Requests sent to the coordinator. */
  readonly sent: { at: number; kind: Action['kind'] }[] = [];
  readonly events: AgentEvent[] = [];

  constructor(id: string, settings: Partial<Settings> = {}) {
    this.id = id;
    this.state = newAgent({ listens: true, mayLead: true, drainMs: 0, ...settings });
  }

  get leads(): boolean {
    const { status } = this.state;
    return this.alive && status.kind === 'registered' && status.role.kind === 'leader';
  }

  receive(input: Input, now: number): void {
    const { state, events } = advance(this.state, input, now);
    this.state = state;
    this.events.push(...events);
  }
}

export class Cluster {
  readonly nodes: Node[] = [];
  now = 0;
  /** Of the coordinator. */
  leader: string | undefined;
  reachable = true;
  /** Agents that the coordinator is out of reach for. */
  readonly cutOff = new Set<string>();
  readonly #known = new Set<string>();
  readonly #lastContactAt = new Map<string, number>();
  /** The last report on each member. */
  readonly reported = new Map<string, boolean>();

  add(id: string, settings: Partial<Settings> = {}): Node {
    const node = new Node(id, settings);
    this.nodes.push(node);
    node.receive({ kind: 'services-probed', offered: [{ name: 'ocr', path: '/', healthPath: '/health' }] }, this.now);
    return node;
  }

  /** The coordinator starts anew and knows nobody. */
  forget(): void {
    this.#known.clear();
    this.leader = undefined;
  }

  /** @param look called after each step */
  run(ms: number, look: () => void = () => {}): void {
    for (const end = this.now + ms; this.now < end; this.now += STEP_MS) {
      for (const node of this.nodes) if (node.alive) this.#turn(node);
      look();
    }
  }

  #turn(node: Node): void {
    const action = nextAction(node.state, this.now);
    const input = this.#outcome(node, action);
    if (input === undefined) return;
    node.sent.push({ at: this.now, kind: action.kind });
    node.receive(input, this.now);
  }

  #outcome(node: Node, action: Action): Input | undefined {
    const { id } = node;
    if (action.kind === 'wait' || action.kind === 'stop') return undefined;
    if (!this.reachable || this.cutOff.has(id)) {
      if (action.kind === 'lead') for (const member of action.members) this.#probe(member.id);
      return { kind: 'unreachable', reason: 'ECONNREFUSED' };
    }
    if (action.kind !== 'register' && !this.#known.has(id)) return { kind: 'forgotten' };
    this.#lastContactAt.set(id, this.now);
    return this.#answer(node, action);
  }

  #answer(node: Node, action: Action): Input | undefined {
    const { id } = node;
    switch (action.kind) {
      case 'wait':
      case 'stop':
        return undefined;
      case 'register':
        this.#known.add(id);
        if (node.state.settings.mayLead) this.leader ??= id;
        return {
          kind: 'registered',
          id,
          services: action.services,
          leadership: this.#leadership(id),
          inMaintenance: false,
        };
      case 'heartbeat':
        return { kind: 'heartbeat-answered', leadership: this.#leadership(id) };
      case 'claim':
        if (this.#isSilent(this.leader)) this.leader = id;
        return { kind: 'claim-answered', leadership: this.#leadership(id) };
      case 'lead': {
        const probes = action.members.map((member) => [member.id, this.#probe(member.id)] as const);
        if (this.leader !== id) return { kind: 'not-leading' };
        const seen = seenAfter(action.seen, new Map(probes));
        for (const { id: member, up } of reportOf(seen)) this.reported.set(member, up);
        return { kind: 'round-answered', startedAt: this.now, seen, leadership: this.#leadership(id) };
      }
      case 'drain':
      case 'look-drained':
        return { kind: 'drain-answered', drained: true };
      case 'remove':
        this.#known.delete(id);
        if (this.leader === id) this.leader = undefined;
        for (const member of action.members) this.#probe(member.id, true);
        return { kind: 'removed' };
    }
  }

  #probe(id: string, isLeaveNotice = false): boolean {
    const member = this.nodes.find((node) => node.id === id);
    if (member?.alive !== true) return false;
    member.receive({ kind: 'probed-by-leader', isLeaveNotice }, this.now);
    return true;
  }

  #isSilent(id: string | undefined): boolean {
    return id === undefined || this.now - (this.#lastContactAt.get(id) ?? 0) > INTERVAL_MS;
  }

  #leadership(id: string): LeadershipReply {
    const url = (of: string) => `http://${of}`;
    const others = [...this.#known].filter((known) => known !== id);
    return {
      heartbeatIntervalSeconds: INTERVAL_MS / 1000,
      isHeartbeatLeader: this.leader === id,
      heartbeatLeaderUrl: this.leader === undefined || this.leader === id ? null : url(this.leader),
      members: others.map((other) => ({ id: other, url: url(other), agentUrl: `${url(other)}:7070` })),
    };
  }
}
