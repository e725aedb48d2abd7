/**
 * What tasks of a random schedule have in common with others: flows that limit them together, a group that ends with the last
 * of them, services that take each other's. Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { env } from 'cloudflare:workers';
import { changeGroup } from '../../callback/groups.ts';
import { flowName } from '../../shared/flow/flow.ts';
import { createGroup, readGroup, setGroupHook } from '../../shared/store/groups.ts';
import { ERROR_CLASSES } from '../../shared/task/error-class.ts';
import { storeOfTask } from '../../shared/task/id.ts';
import type { TaskRequest } from '../../shared/task/request.ts';
import { isTerminal, TERMINAL_STATUSES } from '../../shared/task/status.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';
import { hookOf, type Order } from './order.ts';
import type { Row } from './promises.ts';

const GROUP = { subject: 'alice', name: 'night-7' };
const FLOWS = [
  { name: flowName('alice', 'narrow'), concurrency: 1 },
  { name: flowName('alice', 'steady'), concurrency: 2, rate: 20, periodSeconds: 60 },
] as const;

export class Company {
  readonly #house: House;
  readonly #dice: Dice;
  readonly #services: readonly string[];
  #hasGroup = false;
  /** Where the group and its tasks are. */
  #store = 0;
  /** Of the group's end. */
  #messageId = '';

  constructor(house: House, seed: number, services: readonly string[]) {
    this.#house = house;
    this.#dice = new Dice(seed * 1_299_709);
    this.#services = services;
  }

  /** A group comes to be in some schedules, and is closed or cancelled at some time. */
  async gather(): Promise<void> {
    const dice = this.#dice;
    this.#hasGroup = dice.chance(0.4);
    if (!this.#hasGroup) return;
    const house = this.#house;
    const { id } = await house.mint();
    this.#store = storeOfTask(id);
    this.#messageId = `${id}_w1`;
    await createGroup(this.#db, GROUP, this.#messageId, house.clock.now);
    await setGroupHook(this.#db, GROUP, JSON.stringify(await hookOf({}, `${env.PUBLIC_URL}/api/groups/`)));
    const act = dice.chance(0.8) ? ('close' as const) : ('cancel' as const);
    house.plan(house.clock.now + dice.between(0, 120_000), () => this.#change(act));
  }

  /** What a task of `service` has of all this. */
  orderFor(service: string): Pick<Order, 'group' | 'request' | 'store'> {
    const dice = this.#dice;
    const others = this.#services.filter((other) => other !== service);
    const fallback = dice.chance(0.3) ? others.slice(dice.between(0, 1), dice.between(1, 3)) : [];
    const request: TaskRequest = {
      path: '/work',
      ...(fallback.length > 0 && { fallback }),
      ...(fallback.length > 0 && dice.chance(0.3) && { fallbackOn: [dice.pick(ERROR_CLASSES), 'lost' as const] }),
      ...(dice.chance(0.35) && { flow: dice.pick(FLOWS) }),
    };
    return { request, ...(this.#hasGroup && dice.chance(0.6) && { group: GROUP.name, store: this.#store }) };
  }

  get #db(): D1Database {
    return this.#house.storage.stores.get(this.#store) ?? env.DB;
  }

  /** Looked at when nothing moves any more. */
  async check(): Promise<void> {
    this.#checkFlows();
    if (this.#hasGroup) await this.#checkGroup();
  }

  /** A request that was refused or killed is made again, as a client would. */
  async #change(act: 'close' | 'cancel'): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      const request = { ...GROUP, store: this.#store, act };
      const ending = await this.#house.callback(act, (callback) => changeGroup(callback, request, Date.now()));
      if (ending.kind === 'returned') return;
      await this.#house.clock.sleep(60_000);
    }
    throw new Error(`the group could not be ${act}d`);
  }

  /** No more calls of a flow at a time than it has places. */
  #checkFlows(): void {
    const { promises, backend } = this.#house;
    for (const { name, concurrency } of FLOWS) {
      const calls = backend.calls.filter(({ id }) => promises.accepted.get(id)?.request.flow?.name === name);
      for (const { id, startedAt } of calls) {
        const atOnce = calls.filter((call) => call.startedAt <= startedAt && (call.endedAt ?? startedAt) > startedAt);
        if (atOnce.length > concurrency) throw new Error(`${atOnce.length} calls of ${name} at a time, as ${id} began`);
      }
    }
  }

  /** The group's counts are those of its tasks, it has ended, and was told of once. */
  async #checkGroup(): Promise<void> {
    const { results } = await this.#db.prepare('SELECT * FROM tasks WHERE group_name = ?1').bind(GROUP.name).all<Row>();
    const counts = Object.fromEntries(
      TERMINAL_STATUSES.map((status) => [status, results.filter((row) => row.status === status).length]),
    );
    const group = await readGroup(this.#db, GROUP);
    const { total, succeeded, failed, cancelled, expired } = group ?? {};
    const said = JSON.stringify({ succeeded, failed, cancelled, expired });
    if (total !== results.length || said !== JSON.stringify(counts)) {
      throw new Error(
        `the group counts ${total}, ${said}, and its tasks are ${results.length}, ${JSON.stringify(counts)}`,
      );
    }
    if (!results.every(({ status }) => isTerminal(status)) || group?.ended_at === null) {
      throw new Error('the group has not ended');
    }
    if (this.#house.post.lost.has(this.#messageId)) return;
    // Of a group without tasks none ended as its hook asks.
    const told = this.#house.receiver.told.filter(({ type }) => type === 'group.completed').length;
    if (told !== Math.min(1, total ?? 0)) throw new Error(`the group of ${total} tasks was told of ${told} times`);
  }
}
