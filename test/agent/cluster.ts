/**
 * A cluster of agents' cores under a virtual clock, with a coordinator that keeps the registry's
 * promises on leadership: the first leads, a claim is granted when the leader was silent for an interval.
 * What the real registry does is tested with real processes (`agent.e2e.test.ts`).
 */
import { type Action, nextAction } from '../../agent/decide.ts';
import type { AgentEvent } from '../../agent/event.ts';
import { advance, type Happening } from '../../agent/happening.ts';
import type { Word } from '../../agent/role.ts';
import { type AgentState, newAgent, type Settings } from '../../agent/state.ts';
import { reportOf, seenAfter } from '../../agent/visit.ts';

export const INTERVAL_MS = 30_000;
const STEP_MS = 100;

export class Node {
  readonly id: string;
  state: AgentState;
  alive = true;
  /** Requests sent to the coordinator. */
  readonly sent: { at: number; is: Action['is'] }[] = [];
  readonly events: AgentEvent[] = [];

  constructor(id: string, settings: Partial<Settings> = {}) {
    this.id = id;
    this.state = newAgent({ listens: true, mayLead: true, drainMs: 0, ...settings });
  }

  get leads(): boolean {
    const { standing } = this.state;
    return this.alive && standing.is === 'registered' && standing.role.is === 'leader';
  }

  happened(happening: Happening, now: number): void {
    const { state, events } = advance(this.state, happening, now);
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
  readonly #heardAt = new Map<string, number>();
  /** The last report on each member. */
  readonly reported = new Map<string, boolean>();

  add(id: string, settings: Partial<Settings> = {}): Node {
    const node = new Node(id, settings);
    this.nodes.push(node);
    node.happened({ is: 'looked', offered: [{ name: 'ocr', path: '/', healthPath: '/health' }] }, this.now);
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
    const happening = this.#outcome(node, action);
    if (happening === undefined) return;
    node.sent.push({ at: this.now, is: action.is });
    node.happened(happening, this.now);
  }

  #outcome(node: Node, action: Action): Happening | undefined {
    const { id } = node;
    if (action.is === 'wait' || action.is === 'stop') return undefined;
    if (!this.reachable || this.cutOff.has(id)) {
      if (action.is === 'lead') for (const member of action.members) this.#visit(member.id);
      return { is: 'unreachable', reason: 'ECONNREFUSED' };
    }
    if (action.is !== 'register' && !this.#known.has(id)) return { is: 'forgotten' };
    this.#heardAt.set(id, this.now);
    return this.#answer(node, action);
  }

  #answer(node: Node, action: Action): Happening | undefined {
    const { id } = node;
    switch (action.is) {
      case 'wait':
      case 'stop':
        return undefined;
      case 'register':
        this.#known.add(id);
        if (node.state.settings.mayLead) this.leader ??= id;
        return { is: 'registered', id, services: action.services, word: this.#word(id), inMaintenance: false };
      case 'heartbeat':
        return { is: 'heartbeat-answered', word: this.#word(id) };
      case 'claim':
        if (this.#isSilent(this.leader)) this.leader = id;
        return { is: 'claim-answered', word: this.#word(id) };
      case 'lead': {
        const visits = action.members.map((member) => [member.id, this.#visit(member.id)] as const);
        if (this.leader !== id) return { is: 'not-leading' };
        const seen = seenAfter(action.seen, new Map(visits));
        for (const { id: member, up } of reportOf(seen)) this.reported.set(member, up);
        return { is: 'round-answered', startedAt: this.now, seen, word: this.#word(id) };
      }
      case 'drain':
      case 'look-drained':
        return { is: 'drain-answered', drained: true };
      case 'remove':
        this.#known.delete(id);
        if (this.leader === id) this.leader = undefined;
        for (const member of action.members) this.#visit(member.id, true);
        return { is: 'removed' };
    }
  }

  #visit(id: string, isFarewell = false): boolean {
    const member = this.nodes.find((node) => node.id === id);
    if (member?.alive !== true) return false;
    member.happened({ is: 'visited', isFarewell }, this.now);
    return true;
  }

  #isSilent(id: string | undefined): boolean {
    return id === undefined || this.now - (this.#heardAt.get(id) ?? 0) > INTERVAL_MS;
  }

  #word(id: string): Word {
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
