/**
 * The agent at work: asks `decide.ts` what to do, does it, and lets `advance.ts` make the next state
 * of what came of it. Requests to the coordinator go one after the other; probes of the local services
 * and of members happen beside them. While the coordinator does not answer, what to do is decided anew
 * before each try.
 */
import pRetry from 'p-retry';
import type { OfferedService } from '../shared/registry/registration.ts';
import type { ServerStateName } from '../shared/registry/rpc.ts';
import { advance, type Input } from './advance.ts';
import { type AgentConfig, agentUrlOf, mayLead } from './config.ts';
import { type Coordinator, type Reply, Unreachable } from './coordinator.ts';
import { type Action, nextAction } from './decide.ts';
import type { AgentEvent } from './event.ts';
import { InterruptibleSleep } from './interruptible-sleep.ts';
import { type Host, listen } from './listener.ts';
import { probeMembers, reportOf, seenAfter, sendLeaveNotices } from './member-probe.ts';
import { offeredServices, type Presences, type ProbeResult, presencesAfter, serviceEvents } from './probe-result.ts';
import { probeServices } from './probe-services.ts';
import { registrationRequest } from './registration-request.ts';
import { type AgentState, newAgent } from './state.ts';

/** Between tries while the coordinator does not answer: doubling from the first to the longest, with jitter. */
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

const DRAINING_STATES: ReadonlySet<string> = new Set(['draining', 'drained'] satisfies ServerStateName[]);

/** The very first registration was refused: a mistake to mend, not to wait out. */
export class RefusedAtStart extends Error {}

export class Agent {
  readonly #config: AgentConfig;
  readonly #coordinator: Coordinator;
  readonly #tell: (event: AgentEvent) => void;
  readonly #sleep = new InterruptibleSleep();
  readonly #stopping = new AbortController();
  #state: AgentState;
  #presences: Presences = {};
  #agentUrl: string | undefined;
  #wasAnswered = false;

  constructor(config: AgentConfig, coordinator: Coordinator, tell: (event: AgentEvent) => void) {
    this.#config = config;
    this.#coordinator = coordinator;
    this.#tell = tell;
    this.#state = newAgent({
      listens: config.listen !== undefined,
      mayLead: mayLead(config),
      drainMs: config.drainSeconds * 1000,
    });
  }

  /** Resolves when it was told to stop and has deregistered. @throws RefusedAtStart; and when its port is taken */
  async run(): Promise<void> {
    const { listen: wanted, url, coordinator } = this.#config;
    const listener = wanted === undefined ? undefined : await listen(wanted.port, wanted.host, this.#host());
    if (listener !== undefined) this.#agentUrl = agentUrlOf(this.#config, listener.port);
    this.#tell({ event: 'started', coordinator, url, agentUrl: this.#agentUrl });
    const looking = new AbortController();
    const looks = this.#keepProbing(looking.signal);
    try {
      while (await this.#step());
      this.#tell({ event: 'stopped', registered: this.#state.status.kind === 'registered' });
    } finally {
      looking.abort();
      listener?.close();
      await looks;
    }
  }

  /** Asks for no more work, lets running work finish, deregisters, and ends `run`. */
  stop(): void {
    this.#receive({ kind: 'told-to-stop' });
    // Ends a backoff: what is left to do is tried at once.
    this.#stopping.abort();
  }

  #host(): Host {
    return {
      id: () => idOf(this.#state),
      probedByLeader: (isLeaveNotice) => this.#receive({ kind: 'probed-by-leader', isLeaveNotice }),
      status: () => ({
        agent: 'tasklane',
        registered: idOf(this.#state) !== undefined,
        coordinator: this.#state.contact.kind,
        services: (this.#state.offered ?? []).map(({ name, version }) => ({ name, version })),
      }),
    };
  }

  #receive(input: Input): void {
    const { state, events } = advance(this.#state, input, Date.now());
    this.#state = state;
    for (const event of events) this.#tell(event);
    this.#sleep.end();
  }

  /** Does what is next, as often as it takes to get an answer. @returns false when nothing is left to do */
  async #step(): Promise<boolean> {
    const { signal } = this.#stopping;
    try {
      return await pRetry(() => this.#perform(nextAction(this.#state, Date.now())), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_RETRY_MS,
        maxTimeout: LONGEST_RETRY_MS,
        randomize: true,
        // Once aborted it stays so: the tries after it go without.
        ...(!signal.aborted && { signal }),
        shouldRetry: ({ error }) => error instanceof Unreachable,
        onFailedAttempt: ({ error }) => {
          if (error instanceof Unreachable) this.#receive({ kind: 'unreachable', reason: error.message });
        },
      });
    } catch (error) {
      if (error === signal.reason) return true;
      throw error;
    }
  }

  /** @throws Unreachable */
  async #perform(action: Action): Promise<boolean> {
    const coordinator = this.#coordinator;
    switch (action.kind) {
      case 'wait':
        await this.#sleep.until(action.until);
        return true;
      case 'stop':
        return false;
      case 'register':
        await this.#register(action.services);
        return true;
      case 'heartbeat':
        this.#take(await coordinator.heartbeat(action.id), (leadership) => ({
          kind: 'heartbeat-answered',
          leadership,
        }));
        return true;
      case 'claim':
        this.#take(await coordinator.claimLeadership(action.id), (leadership) => ({
          kind: 'claim-answered',
          leadership,
        }));
        return true;
      case 'lead': {
        const startedAt = Date.now();
        const seen = seenAfter(action.seen, await probeMembers(action.members));
        const reply = await coordinator.heartbeatCluster(action.id, reportOf(seen));
        this.#take(reply, (leadership) => ({ kind: 'round-answered', startedAt, seen, leadership }));
        return true;
      }
      case 'drain':
        this.#take(await coordinator.drain(action.id), ({ state }) => drainAnswer(state));
        return true;
      case 'look-drained':
        this.#take(await coordinator.server(action.id), ({ state }) => drainAnswer(state));
        return true;
      case 'remove':
        this.#take(await coordinator.remove(action.id), () => ({ kind: 'removed' }));
        await sendLeaveNotices(action.members);
        return true;
    }
  }

  /** @throws Unreachable, RefusedAtStart */
  async #register(services: readonly OfferedService[]): Promise<void> {
    const isNew = this.#state.status.kind === 'unregistered';
    const reply = await this.#coordinator.register(registrationRequest(this.#config, this.#agentUrl), services);
    if (reply.kind === 'refused' && !this.#wasAnswered) throw new RefusedAtStart(reply.reason);
    // Maintenance outlasts a restart of the machine: only who ordered it ends it.
    const found = isNew && reply.kind === 'answered' ? await this.#coordinator.server(reply.value.id) : undefined;
    const inMaintenance = found?.kind === 'answered' && DRAINING_STATES.has(found.value.state);
    this.#take(reply, ({ id, ...leadership }) => ({ kind: 'registered', id, services, leadership, inMaintenance }));
  }

  #take<Value>(reply: Reply<Value>, input: (value: Value) => Input): void {
    this.#wasAnswered = true;
    if (reply.kind === 'answered') this.#receive(input(reply.value));
    else this.#receive(reply);
  }

  async #keepProbing(signal: AbortSignal): Promise<void> {
    const pause = new InterruptibleSleep();
    signal.addEventListener('abort', () => pause.end());
    while (!signal.aborted) {
      const results = await probeServices(this.#config.services);
      if (!signal.aborted) this.#probed(results);
      await pause.until(Date.now() + this.#config.detectSeconds * 1000);
    }
  }

  #probed(results: readonly ProbeResult[]): void {
    const before = this.#state.offered;
    this.#presences = presencesAfter(this.#presences, results);
    const offered = offeredServices(this.#config.services, this.#presences);
    const why = (name: string) => {
      const result = results.find((each) => each.name === name);
      return result === undefined || result.kind === 'answers' ? 'it was not seen' : result.why;
    };
    for (const event of serviceEvents(before ?? [], offered, why)) this.#tell(event);
    if (before === undefined) {
      for (const result of results) {
        if (result.kind !== 'answers') this.#tell({ event: 'service-absent', name: result.name, why: result.why });
      }
    }
    this.#receive({ kind: 'services-probed', offered });
  }
}

function idOf({ status }: AgentState): string | undefined {
  return status.kind === 'registered' ? status.id : undefined;
}

function drainAnswer(state: string): Input {
  return { kind: 'drain-answered', drained: state === 'drained' };
}
