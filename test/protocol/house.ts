/**
 * The house for tests of the protocol: the real consumer, the real ledger and the real database in
 * one isolate, under virtual time, with faults at every effect. Only queues and backends are stood
 * in for.
 */
import { vi } from 'vitest';
import { type CallbackEnv, readEnv, type StoreEnv } from '../../callback/env.ts';
import { readLinesOf, releaseLine } from '../../callback/parking.ts';
import type { Registry } from '../../callback/registry/state.ts';
import { takeDeadLetters } from '../../callback/sweep/dead-letter.ts';
import { sweep } from '../../callback/sweep/sweep.ts';
import { acceptCallback, cancelTask, retryTask } from '../../callback/task-requests.ts';
import { runBatch } from '../../consumer/batch.ts';
import { type Accepted, acceptTask } from '../../producer/accept/accept.ts';
import type { Runtime } from '../../producer/runtime.ts';
import { serviceLine } from '../../shared/capacity/line.ts';
import type { LedgerSession } from '../../shared/ledger/contract.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../shared/ledger/line.ts';
import type { CallbackReport, LedgerAnswer } from '../../shared/ledger/rpc.ts';
import { type NewTask, newTaskMessage } from '../../shared/message/task-message.ts';
import type { Services } from '../../shared/service/definition.ts';
import { Backend } from './backend.ts';
import { Bindings, type Budget, MAX_INVOCATIONS } from './bindings.ts';
import { Clock, START } from './clock.ts';
import { Consumers } from './consumers.ts';
import { rollDice } from './dice.ts';
import { type Ending, Faults, Invocation } from './faults.ts';
import { Fleet } from './fleet.ts';
import { KeyPoolObject, poolLedger } from './key-pool.ts';
import { Loans } from './loans.ts';
import { Machine } from './machine.ts';
import { mintTask, type Order } from './order.ts';
import { type Letter, Post, type QueueName, shardOf } from './post.ts';
import { Promises, type Row } from './promises.ts';
import { Receiver } from './receiver.ts';
import { Storage } from './storage.ts';

const isRetried = ({ disposition }: Letter) => disposition?.kind === 'retry';

export class House {
  readonly storage = new Storage();
  readonly clock = new Clock(START);
  readonly post = new Post();
  readonly faults = new Faults();
  readonly backend = new Backend(this.clock);
  /** Whom messages about ends go to. */
  readonly receiver = new Receiver();
  readonly promises = new Promises(this.post, this.backend);
  readonly consumers = new Consumers();
  /** Where the callback Worker's next invocation runs. */
  callbackMachine = () => this.#callbackMachine;
  readonly #callbackMachine = new Machine();
  readonly fleet: Fleet;
  /** Of each shard. */
  readonly keyPools: readonly KeyPoolObject[];
  /** Whether owners of lines wake anybody. */
  servesLines = true;
  /** What services' headers name. */
  readonly secrets = new Map<string, string>();
  readonly log: string[] = [];
  /** Log events of the code under test. */
  readonly printed: string[] = [];
  /** Statements that the database refused, though no fault struck. */
  readonly refusals: string[] = [];
  /** Characters of each claim that a consumer sent. */
  readonly claimed: number[] = [];
  /** Check rule R1 after every write, not only after every step. */
  watching = true;
  /** Messages beside those of a batch, as the queue says. */
  backlog = 0;
  /** What happens at a time whatever else does. */
  readonly agenda: { readonly at: number; readonly happen: () => Promise<unknown> }[] = [];
  readonly #bindings = new Bindings(this);
  /** Writes so far: what was read before the latest one is old. */
  writes = 0;
  /** Worker invocations that the latest batch caused. */
  invocations = 0;
  /** Calls over the network that a consumer's invocation makes at a time. */
  connections = 6;
  /** Of a shard's 250 invocations, those that one service may keep. */
  mostInvocations: number | undefined = 150;
  /** How late comes what a `late` fault held up. */
  lateMs = () => 5_000;
  /** In which letters of a batch come. */
  inOrder = (letters: Letter[]) => letters;
  /** A round of the sweeper begins while others are under way. */
  overlapsSweeps = false;
  readonly #underWay = new Set<Invocation>();
  readonly #loans = new Loans(this.promises.violations);

  constructor() {
    this.fleet = new Fleet(() => this.services, {
      isUp: (url) => !this.backend.refusing.has(new URL(url).hostname),
      release: (request) => this.#releaseLine(request),
      readLines: async () => {
        const ending = await this.callback('lines', async (callback) => [
          ...(await readLinesOf(callback, 'service')),
          ...(await readLinesOf(callback, 'flow')),
        ]);
        return ending.kind === 'returned' ? ending.value : [];
      },
      note: (event) => this.note(event),
    });
    const ledger = poolLedger(this, (request) => this.#releaseLine(request));
    this.keyPools = [0, 1].map(() => new KeyPoolObject('default', ledger));
  }

  async #releaseLine(request: ReleaseRequest): Promise<ReleaseAnswer | undefined> {
    if (!this.servesLines) return undefined;
    const ending = await this.callback('release', (callback) => releaseLine(callback, request, Date.now()));
    return ending.kind === 'returned' ? ending.value : undefined;
  }

  get registry(): Registry {
    return this.fleet.object.registry;
  }

  get services(): Services {
    return this.consumers.release.services;
  }

  /** As they have been from the start. */
  set services(services: Services) {
    this.consumers.release = { ...this.consumers.release, services };
  }

  static async open(seed = 1): Promise<House> {
    await Storage.empty();
    const house = new House();
    for (const method of ['log', 'warn', 'error'] as const) {
      vi.spyOn(console, method).mockImplementation((line: unknown) => void house.printed.push(String(line)));
    }
    rollDice(seed);
    vi.stubGlobal('fetch', (input: RequestInfo, init?: RequestInit) => house.#bindings.callBackend(input, init));
    const wait = (ms: number, options?: { signal?: AbortSignal }) => house.clock.sleep(ms, options?.signal);
    vi.stubGlobal('scheduler', { wait });
    house.faults.onLate = ({ name }, effect) =>
      house.promises.violations.push(`${name} still did ${effect} after its end`);
    house.faults.onFault = (effect, fault) => {
      house.note(`${fault} at ${effect}`);
      house.#loans.noteFault(effect, fault);
    };
    house.faults.onArrival = () => house.#checkLoans();
    house.faults.later = (effect, take) => house.#takeLater(effect, take);
    house.faults.reset = (effect) =>
      effect.startsWith('keys') ? house.restartKeyPool(Number(effect.endsWith('.1'))) : house.restartRegistry();
    return house;
  }

  close(): void {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    this.clock.stop();
    if (this.refusals.length > 0) throw new Error(`the database refused: ${this.refusals.join('; ')}`);
  }

  /** What was held up takes effect, whatever has become of who asked for it. */
  #takeLater(effect: string, take: () => Promise<unknown>): void {
    const arrive = this.faults.setOut(effect);
    this.plan(Date.now() + this.lateMs(), async () => {
      this.note(`late: ${effect}`);
      await take().catch(() => undefined);
      arrive();
      await this.#checkLoans();
    });
  }

  /** The machine dies under whoever is at work. */
  killAll(): void {
    for (const invocation of this.#underWay) {
      this.#loans.noteLoss();
      this.note(`${invocation.name} is killed`);
      invocation.kill();
    }
  }

  async #checkLoans(): Promise<void> {
    if ([...this.#underWay].some(({ name }) => name === 'consumer')) return;
    this.#loans.check(this.registry, [...(await this.keys()), ...(await this.keys(1))], this.faults.onTheWay);
  }

  note(event: string): void {
    this.log.push(`${((Date.now() - START) / 1000).toFixed(1).padStart(9)} s  ${event}`);
  }

  /** What accept does: mints an id and sends one message. Nothing is written. */
  async submit(order: Order = {}, queue: QueueName = 'tasks'): Promise<NewTask> {
    const task = await this.mint(order);
    this.promises.accepted.set(task.id, task);
    // A deploy may have taken the queue away meanwhile.
    this.post.put(this.post.closed.has(queue) ? 'tasks' : queue, newTaskMessage(task));
    this.note(`submit ${task.id} to ${task.service}`);
    return task;
  }

  /** Accept as the producer does it, with faults; undefined when it was killed. */
  async accept(task: NewTask, recordsAtAccept: boolean): Promise<Accepted | undefined> {
    const ending = await this.producer('accept', (producer) => acceptTask(producer, task), recordsAtAccept);
    const answer = ending.kind === 'returned' ? ending.value : undefined;
    if (answer === true) this.promises.accepted.set(task.id, task);
    return answer;
  }

  /** Runs `work` as an invocation of the producer, with faults. */
  producer<Value>(name: string, work: (at: Runtime) => Promise<Value>, records = false): Promise<Ending<Value>> {
    const isolate = this.consumers.of(0);
    return this.#invoke(new Invocation(name), isolate.machine, (invocation) =>
      work(this.#bindings.producer(invocation, isolate, records)),
    );
  }

  mint(order: Order = {}): Promise<NewTask> {
    return mintTask({ store: this.storage.next(), ...order });
  }

  plan(at: number, happen: () => Promise<unknown>): void {
    this.agenda.push({ at, happen });
    this.post.onPut?.();
  }

  ready(queue: QueueName = 'tasks'): Letter[] {
    return this.inOrder(this.post.waiting(queue).filter(({ visibleAt }) => visibleAt <= Date.now()));
  }

  /** One batch for a consumer; by default all that is visible. */
  async deliver(letters = this.ready()): Promise<Ending<void>> {
    const isolate = this.consumers.of(letters[0] === undefined ? 0 : shardOf(letters[0].queue));
    return this.#hand('consumer', isolate.machine, letters, async (invocation, messages) => {
      const budget: Budget = { spent: 0 };
      const refusals = this.faults.struckAt('queue.send');
      await runBatch(this.#bindings.consumer(invocation, budget, isolate), messages, this.backlog);
      if (isolate.isDraining && this.faults.struckAt('queue.send') === refusals && letters.some(isRetried))
        this.post.violations.push('a message returned to the queue of a shard that is being removed');
      this.invocations = budget.spent;
      this.promises.checkHeld(invocation);
      if (budget.spent > MAX_INVOCATIONS) this.post.violations.push(`a batch caused ${budget.spent} invocations`);
    });
  }

  async deliverDead(letters = this.ready('dead')): Promise<Ending<void>> {
    return this.#hand('dead letters', this.callbackMachine(), letters, async (invocation, messages) => {
      const batch = { queue: 'tasklane-dead', messages } as unknown as MessageBatch<unknown>;
      await takeDeadLetters(await readEnv(this.#bindings.callback(invocation)), batch, Date.now());
    });
  }

  sweep(): Promise<Ending<unknown>> {
    return this.#invoke(new Invocation('sweep'), this.callbackMachine(), async (invocation) =>
      sweep(await readEnv(this.#bindings.callback(invocation)), Date.now()),
    );
  }

  async cancel({ id, subject }: Pick<NewTask, 'id' | 'subject'>): Promise<LedgerAnswer | undefined> {
    const answer = await this.#ask('cancel', (callback) =>
      cancelTask(callback, { id, subject, plantTombstone: true }, Date.now()),
    );
    if (answer?.ok) this.promises.told.set(id, 'cancelled');
    return answer;
  }

  /** @param deadlineMs from now; as long as it was given at first when absent */
  async retry(id: string, deadlineMs?: number): Promise<LedgerAnswer | undefined> {
    this.promises.mayReopen(id);
    return this.#ask('retry', (callback) =>
      retryTask(callback, { id, ...(deadlineMs !== undefined && { deadlineAt: Date.now() + deadlineMs }) }, Date.now()),
    );
  }

  async report(
    { id, token }: { readonly id: string; readonly token: string },
    report: CallbackReport['report'],
  ): Promise<LedgerAnswer | undefined> {
    const run = Number.parseInt(token, 10);
    if (report.status === 'failed') this.promises.abandoned.add(`${id}/${run}`);
    const answer = await this.#ask(`report ${report.status} by run ${run}`, (callback) =>
      acceptCallback(callback, { id, token, report }, Date.now(), Math.random()),
    );
    if (answer?.ok && report.status === 'succeeded') this.promises.told.set(id, 'succeeded');
    return answer;
  }

  /** The object is gone from memory: what it knew since it wrote last is lost. */
  restartRegistry(): void {
    this.fleet.object.evict();
    this.noteReset('the registry restarts');
  }

  noteReset(what: string): void {
    this.#loans.noteLoss();
    this.note(what);
  }

  /** How the pool's keys stand. */
  async keys(shard = 0) {
    const members = await this.clock.outside(this.consumers.membersOf(shard));
    return members === undefined ? [] : (this.keyPools[shard]?.look(members) ?? []);
  }

  restartKeyPool(shard = 0): void {
    this.keyPools[shard]?.evict();
    // A copy that comes now finds nothing of its lease, and is lent something for nobody until that ends (rule R22).
    if (this.faults.onTheWay.some((effect) => effect.startsWith('keys.lease'))) this.#loans.noteLoss();
    this.note(`the key pool of shard ${shard} restarts`);
  }

  /** What happens when a server is back, or the service resumed. */
  release(limit = 100, service = 'served'): Promise<Ending<ReleaseAnswer>> {
    const request = { line: serviceLine(service), limit };
    return this.callback('release', (callback) => releaseLine(callback, request, Date.now()));
  }

  /** Asks the ledger as a consumer does, in a session of its own. */
  async ledger<Value>(question: (session: LedgerSession) => Promise<Value>): Promise<Value> {
    const consumer = this.#bindings.consumer(new Invocation('question'), { spent: 0 }, this.consumers.of(0));
    return this.clock.drive(async () => question(await consumer.ledger.open()));
  }

  /** Runs `work` as an invocation of the callback Worker, with faults. */
  callback<Value>(name: string, work: (callback: StoreEnv) => Promise<Value>): Promise<Ending<Value>> {
    return this.#invoke(new Invocation(name), this.callbackMachine(), async (invocation) => {
      const env = await readEnv(this.#bindings.callback(invocation));
      return work({ ...env, db: env.stores.control });
    });
  }

  /** All rows as they stand; read again only when something was written. */
  rows(): Promise<Row[]> {
    return this.storage.rows(this.clock, this.writes);
  }

  async row(id: string): Promise<Row> {
    const row = (await this.rows()).find((candidate) => candidate.id === id);
    if (row === undefined) throw new Error(`no row ${id}`);
    return row;
  }

  async check(when: string): Promise<Row[]> {
    const rows = await this.rows();
    this.promises.checkRows(rows, when);
    return rows;
  }

  get violations(): string[] {
    return [...this.promises.violations, ...this.post.violations];
  }

  async #ask(
    name: string,
    question: (callback: CallbackEnv) => Promise<LedgerAnswer>,
  ): Promise<LedgerAnswer | undefined> {
    const ending = await this.callback(name, question);
    if (ending.kind === 'returned') this.note(`${name}: ${JSON.stringify(ending.value)}`);
    return ending.kind === 'returned' ? ending.value : undefined;
  }

  async #hand(
    name: string,
    machine: Machine,
    letters: readonly Letter[],
    work: (invocation: Invocation, messages: readonly Message<unknown>[]) => Promise<void>,
  ): Promise<Ending<void>> {
    const invocation = new Invocation(name);
    const messages = letters.map((letter) => this.post.hand(letter, () => invocation.killed));
    this.note(`${name} gets letters ${letters.map(({ serial, attempts }) => `${serial} (${attempts})`).join(', ')}`);
    const ending = await this.#invoke(invocation, machine, () => work(invocation, messages));
    const dispositions = letters.map(({ serial, disposition }) => `${serial} ${JSON.stringify(disposition)}`);
    this.note(`${name} ${ending.kind}: ${dispositions.join(', ')}`);
    if (ending.kind === 'returned') this.post.takeBack(letters);
    else this.post.giveUp(letters);
    if (ending.kind === 'threw') this.post.violations.push(`${name} threw ${String(ending.error)} (R21)`);
    await this.check(`after ${name}`);
    await this.#checkLoans();
    return ending;
  }

  async #invoke<Value>(
    invocation: Invocation,
    machine: Machine,
    work: (invocation: Invocation) => Promise<Value>,
  ): Promise<Ending<Value>> {
    this.#underWay.add(invocation);
    const killed = invocation.whenKilled.then((): Ending<Value> => {
      this.backend.hangUp(invocation);
      return { kind: 'killed' };
    });
    const end = () =>
      machine
        .run(() => work(invocation))
        .then(
          (value): Ending<Value> => ({ kind: 'returned', value }),
          (error: unknown): Ending<Value> => ({ kind: 'threw', error }),
        );
    const ending = await this.clock.drive(() => Promise.race([killed, end()]));
    this.#underWay.delete(invocation);
    invocation.over = true;
    if (ending.kind === 'threw') this.note(`${invocation.name} threw ${String(ending.error)}`);
    return ending;
  }
}
