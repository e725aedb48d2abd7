/**
 * Bodies that lie in the bucket: payloads of tasks, and results that are too large for a row, which calls answer or backends
 * report later, while the bucket fails or is away.
 * Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { env } from 'cloudflare:workers';
import { sweepOrphans } from '../../callback/sweep/orphans.ts';
import {
  mayReport,
  type Reporting,
  reportLarge,
  reportStored,
  reportUploaded,
} from '../../producer/bodies/large-result.ts';
import { storeContent } from '../../producer/bodies/store-content.ts';
import type { Runtime } from '../../producer/runtime.ts';
import { UNAVAILABLE } from '../../producer/upstream/upstream.ts';
import { newResultKey, payloadKey } from '../../shared/bodies/object-key.ts';
import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import type { LedgerAnswer } from '../../shared/ledger/rpc.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import { readBodyOwners } from '../../shared/store/body-owners.ts';
import { type Content, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import type { StoredBody } from '../../shared/task/stored-body.ts';
import { type Answer, accepted, type BackendCall } from './backend.ts';
import { HOUR_MS } from './clock.ts';
import { Dice } from './dice.ts';
import { FAULTS } from './faults.ts';
import type { House } from './house.ts';
import type { Row } from './promises.ts';

const PADDING = 'x'.repeat(MAX_INLINE_BYTES);

/** Longer than an orphan is left alone, and than the walk over the bucket rests. */
const ORPHAN_MS = 2 * HOUR_MS;

/** A backend tries as often, while it hears nothing. */
const TRIES = 6;

const resultOf = ({ run }: BackendCall) => JSON.stringify({ by: run, padding: PADDING });

function large(call: BackendCall): Response {
  return new Response(resultOf(call), { headers: { 'content-type': 'application/json' } });
}

type Told = LedgerAnswer | Response | typeof UNAVAILABLE | undefined;

/** How a backend brings a large result: in a report, in one that is read as it comes, or uploaded before. */
const WAYS: readonly ((producer: Runtime, reporting: Reporting, result: Content) => Promise<Told>)[] = [
  (producer, reporting, result) =>
    reportLarge(producer, reporting, async (key) => ({ ok: true, body: await stored(producer, key, result) })),
  async (producer, reporting, result) => {
    const may = await mayReport(producer, reporting);
    if (may === UNAVAILABLE || !may.ok) return may;
    return reportStored(producer, reporting, await stored(producer, newResultKey(reporting.id), result));
  },
];

/** The upload itself needs a report by nobody; each repeat names the same one. */
function uploaded(key: string): (typeof WAYS)[number] {
  return async (producer, reporting, result) => {
    const may = await mayReport(producer, reporting);
    if (may === UNAVAILABLE || !may.ok) return may;
    await stored(producer, key, result);
    return reportUploaded(producer, reporting, key);
  };
}

function stored({ config }: Runtime, key: string, result: Content): Promise<StoredBody> {
  if (config.bodies === undefined) throw new Error('there is no bucket');
  return storeContent(config.bodies, key, result);
}

export class Bodies {
  readonly #house: House;
  readonly #dice: Dice;
  readonly #isUsed: boolean;
  /** Runs whose large result was taken. */
  readonly #taken = new Set<string>();

  constructor(house: House, seed: number) {
    this.#house = house;
    this.#dice = new Dice(seed * 160_481_183);
    const dice = this.#dice;
    this.#isUsed = dice.chance(0.2);
    if (!this.#isUsed) return;
    house.storage.hasBucket = true;
    const answer = house.backend.fallback;
    house.backend.fallback = (call) => {
      this.#expectPayload(call);
      if (dice.chance(0.3)) return large(call);
      return dice.chance(0.5) ? this.#callBack(call) : answer(call);
    };
    this.#strike(dice.between(0, 4));
    if (!dice.chance(0.3)) return;
    const at = house.clock.now + dice.between(0, 60_000);
    house.plan(at, async () => house.faults.always('bodies', 'down'));
    house.plan(at + dice.between(1_000, 600_000), async () => house.faults.mend('bodies'));
  }

  /** Where large results go on their way. */
  #strike(most: number): void {
    const { faults } = this.#house;
    const drawn = faults.draw;
    let left = most;
    faults.draw = (effect) => {
      const fault = drawn?.(effect);
      if (fault !== undefined || left === 0 || !/^(bodies|callback)\./.test(effect)) return fault;
      if (!this.#dice.chance(effect === 'callback.report' ? 0.5 : 0.15)) return undefined;
      left -= 1;
      return this.#dice.pick([...FAULTS, 'late', 'lost-answer']);
    };
  }

  /** As the producer does before it accepts a task with a large payload. */
  async placed(task: NewTask): Promise<NewTask> {
    if (!this.#isUsed || this.#dice.chance(0.5)) return task;
    const key = payloadKey(task.id);
    this.#house.storage.uploads.set(key, this.#house.clock.now);
    const object = await env.BODIES.put(key, payloadOf(task.id), { httpMetadata: { contentType: 'text/plain' } });
    return { ...task, request: { ...task.request, method: 'POST', storedBody: storedBodyOf(object) } };
  }

  /** The call is accepted and its large result reported, once or twice, perhaps before the answer. */
  readonly #callBack: Answer = async (call) => {
    const { clock } = this.#house;
    const dice = this.#dice;
    const key = dice.chance(0.3) ? newResultKey(call.id) : undefined;
    const way = dice.pick(WAYS);
    const report = () => this.#report(call, key === undefined ? way : uploaded(key));
    if (dice.chance(0.2)) await report();
    else if (dice.chance(0.9)) this.#house.plan(clock.now + dice.between(0, 400_000), report);
    if (dice.chance(0.3)) this.#house.plan(clock.now + dice.between(0, 800_000), report);
    return accepted()(call);
  };

  /** Again and again, until somebody answers. What was taken once is taken again (rule R17). */
  async #report(call: BackendCall, way: (typeof WAYS)[number]): Promise<void> {
    const { id, run, token } = call;
    const { promises, clock } = this.#house;
    const result = { type: 'application/json', encoding: 'json', text: resultOf(call) } as const;
    for (let tries = 0; tries < TRIES; tries++) {
      const ending = await this.#house.producer('report', (producer) =>
        way(producer, { id, token, holder: undefined }, result),
      );
      const answer = ending.kind === 'returned' ? ending.value : undefined;
      if (answer !== undefined && answer !== UNAVAILABLE && !(answer instanceof Response)) {
        this.#house.note(`large result of ${id} by run ${run}: ${JSON.stringify(answer)}`);
        if (answer.ok) promises.told.set(id, 'succeeded');
        if (answer.ok) this.#taken.add(`${id}/${run}`);
        else if (this.#taken.has(`${id}/${run}`))
          promises.violations.push(`${id}: a repeated result was refused (R17)`);
        return;
      }
      await clock.sleep(this.#dice.between(1_000, 60_000));
    }
  }

  /** Looked at when nothing moves any more. */
  async check(): Promise<void> {
    if (!this.#isUsed) return;
    await this.#checkBucket();
    for (const row of await this.#house.rows()) {
      if (!this.#house.promises.accepted.has(row.id) || row.bodies_deleted_at !== null) continue;
      if (row.error?.includes('not in the bucket')) throw new Error(`the payload of ${row.id} is gone`);
      if (row.status === 'succeeded') await this.#checkResult(row);
    }
  }

  /** After a while nothing lies there but what rows lead to. */
  async #checkBucket(): Promise<void> {
    const house = this.#house;
    house.faults.heal();
    for (const walk of [1, 2])
      await house.callback('orphans', (callback) => sweepOrphans(callback, Date.now() + walk * ORPHAN_MS));
    const ids = (await house.rows()).map(({ id }) => id);
    const owners = await Promise.all([...house.storage.stores.values()].map((db) => readBodyOwners(db, ids)));
    const named = owners.flat().flatMap(({ payload, result }) => [payload, result]);
    const { objects } = await env.BODIES.list();
    const orphan = objects.find(({ key }) => !named.includes(key));
    if (orphan !== undefined) throw new Error(`nothing leads to ${orphan.key}`);
  }

  async #checkResult({ id, result, result_stored }: Row): Promise<void> {
    if (result_stored === null) {
      if (result === null) throw new Error(`${id} has succeeded and has no result`);
      return;
    }
    const { key, etag } = JSON.parse(result_stored) as StoredBody;
    const object = await env.BODIES.get(key);
    const { by, padding } = ((await object?.json()) ?? {}) as { by?: number; padding?: string };
    const isWhole = object?.etag === etag && padding === PADDING;
    const isOfRun = this.#house.backend.callsOf(id).some(({ run }) => run === by);
    if (!isWhole || !isOfRun) throw new Error(`the result of ${id} is not what a run answered`);
  }

  /** Each call brings all of it. */
  #expectPayload({ id, request }: BackendCall): void {
    const house = this.#house;
    if (house.promises.accepted.get(id)?.request.storedBody === undefined) return;
    const look = async () => {
      if ((await request.text()) !== payloadOf(id))
        house.promises.violations.push(`a call of ${id} had another payload`);
    };
    void house.clock.outside(look());
  }
}

const payloadOf = (id: string) => `what ${id} is about`.repeat(50);
