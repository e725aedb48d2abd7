/**
 * The agent at work: asks `decide.ts` what to do, does it, and lets `happening.ts` make the next state
 * of what came of it. Requests to the coordinator go one after the other; looks at the local services
 * and visits happen beside them. While the coordinator does not answer, what to do is decided anew
 * before each try.
 */
import pRetry from 'p-retry';
import type { ServerStateName } from '../shared/registry/door.ts';
import type { OfferedService } from '../shared/registry/registration.ts';
import { type AgentConfig, agentUrlOf, mayLead } from './config.ts';
import { type Coordinator, type Reply, Unreachable } from './coordinator.ts';
import { type Action, nextAction } from './decide.ts';
import type { AgentEvent } from './event.ts';
import { advance, type Happening } from './happening.ts';
import { introductionOf } from './introduction.ts';
import { type Host, listen } from './listener.ts';
import { lookAtServices } from './look.ts';
import { Nap } from './nap.ts';
import { offeredServices, type Presences, presencesAfter, type Sighting, serviceEvents } from './sighting.ts';
import { type AgentState, newAgent } from './state.ts';
import { reportOf, sayFarewell, seenAfter, visitMembers } from './visit.ts';

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
  readonly #nap = new Nap();
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
    const looks = this.#keepLooking(looking.signal);
    try {
      while (await this.#step());
      this.#tell({ event: 'stopped', registered: this.#state.standing.is === 'registered' });
    } finally {
      looking.abort();
      listener?.close();
      await looks;
    }
  }

  /** Asks for no more work, lets running work finish, deregisters, and ends `run`. */
  stop(): void {
    this.#happened({ is: 'told-to-stop' });
    // Ends a backoff: what is left to do is tried at once.
    this.#stopping.abort();
  }

  #host(): Host {
    return {
      id: () => idOf(this.#state),
      visited: (isFarewell) => this.#happened({ is: 'visited', isFarewell }),
      status: () => ({
        agent: 'tasklane',
        registered: idOf(this.#state) !== undefined,
        coordinator: this.#state.contact.is,
        services: (this.#state.offered ?? []).map(({ name, version }) => ({ name, version })),
      }),
    };
  }

  #happened(happening: Happening): void {
    const { state, events } = advance(this.#state, happening, Date.now());
    this.#state = state;
    for (const event of events) this.#tell(event);
    this.#nap.end();
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
          if (error instanceof Unreachable) this.#happened({ is: 'unreachable', reason: error.message });
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
    switch (action.is) {
      case 'wait':
        await this.#nap.until(action.until);
        return true;
      case 'stop':
        return false;
      case 'register':
        await this.#register(action.services);
        return true;
      case 'heartbeat':
        this.#take(await coordinator.heartbeat(action.id), (word) => ({ is: 'heartbeat-answered', word }));
        return true;
      case 'claim':
        this.#take(await coordinator.claimLeadership(action.id), (word) => ({ is: 'claim-answered', word }));
        return true;
      case 'lead': {
        const startedAt = Date.now();
        const seen = seenAfter(action.seen, await visitMembers(action.members));
        const reply = await coordinator.heartbeatCluster(action.id, reportOf(seen));
        this.#take(reply, (word) => ({ is: 'round-answered', startedAt, seen, word }));
        return true;
      }
      case 'drain':
        this.#take(await coordinator.drain(action.id), ({ state }) => drainAnswer(state));
        return true;
      case 'look-drained':
        this.#take(await coordinator.server(action.id), ({ state }) => drainAnswer(state));
        return true;
      case 'remove':
        this.#take(await coordinator.remove(action.id), () => ({ is: 'removed' }));
        await sayFarewell(action.members);
        return true;
    }
  }

  /** @throws Unreachable, RefusedAtStart */
  async #register(services: readonly OfferedService[]): Promise<void> {
    const isNew = this.#state.standing.is === 'unregistered';
    const reply = await this.#coordinator.register(introductionOf(this.#config, this.#agentUrl), services);
    if (reply.is === 'refused' && !this.#wasAnswered) throw new RefusedAtStart(reply.reason);
    // Maintenance outlasts a restart of the machine: only who ordered it ends it.
    const found = isNew && reply.is === 'answered' ? await this.#coordinator.server(reply.value.id) : undefined;
    const inMaintenance = found?.is === 'answered' && DRAINING_STATES.has(found.value.state);
    this.#take(reply, ({ id, ...word }) => ({ is: 'registered', id, services, word, inMaintenance }));
  }

  #take<Value>(reply: Reply<Value>, happening: (value: Value) => Happening): void {
    this.#wasAnswered = true;
    if (reply.is === 'answered') this.#happened(happening(reply.value));
    else this.#happened(reply);
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    const pause = new Nap();
    signal.addEventListener('abort', () => pause.end());
    while (!signal.aborted) {
      const sightings = await lookAtServices(this.#config.services);
      if (!signal.aborted) this.#looked(sightings);
      await pause.until(Date.now() + this.#config.detectSeconds * 1000);
    }
  }

  #looked(sightings: readonly Sighting[]): void {
    const before = this.#state.offered;
    this.#presences = presencesAfter(this.#presences, sightings);
    const offered = offeredServices(this.#config.services, this.#presences);
    const why = (name: string) => {
      const sighting = sightings.find((each) => each.name === name);
      return sighting === undefined || sighting.is === 'answers' ? 'it was not seen' : sighting.why;
    };
    for (const event of serviceEvents(before ?? [], offered, why)) this.#tell(event);
    if (before === undefined) {
      for (const sighting of sightings) {
        if (sighting.is !== 'answers') this.#tell({ event: 'service-absent', name: sighting.name, why: sighting.why });
      }
    }
    this.#happened({ is: 'looked', offered });
  }
}

function idOf({ standing }: AgentState): string | undefined {
  return standing.is === 'registered' ? standing.id : undefined;
}

function drainAnswer(state: string): Happening {
  return { is: 'drain-answered', drained: state === 'drained' };
}
