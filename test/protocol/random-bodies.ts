/**
 * Bodies that lie in the bucket: payloads of tasks, and answers that are too large for a row, while the bucket fails or is away.
 * Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { env } from 'cloudflare:workers';
import { payloadKey } from '../../shared/bodies/object-key.ts';
import { storedBodyOf } from '../../shared/bodies/stored-object.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import type { StoredBody } from '../../shared/task/stored-body.ts';
import type { BackendCall } from './backend.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';
import type { Row } from './promises.ts';

const PADDING = 'x'.repeat(MAX_INLINE_BYTES);

function large({ run }: BackendCall): Response {
  return Response.json({ by: run, padding: PADDING });
}

export class Bodies {
  readonly #house: House;
  readonly #dice: Dice;
  readonly #isUsed: boolean;

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
      return dice.chance(0.3) ? large(call) : answer(call);
    };
    if (!dice.chance(0.3)) return;
    const at = house.clock.now + dice.between(0, 60_000);
    house.plan(at, async () => house.faults.always('bodies', 'down'));
    house.plan(at + dice.between(1_000, 600_000), async () => house.faults.mend('bodies'));
  }

  /** As the producer does before it accepts a task with a large payload. */
  async placed(task: NewTask): Promise<NewTask> {
    if (!this.#isUsed || this.#dice.chance(0.5)) return task;
    const key = payloadKey(task.id);
    this.#house.storage.uploads.set(key, this.#house.clock.now);
    const object = await env.BODIES.put(key, payloadOf(task.id), { httpMetadata: { contentType: 'text/plain' } });
    return { ...task, request: { ...task.request, method: 'POST', storedBody: storedBodyOf(object) } };
  }

  /** Looked at when nothing moves any more. */
  async check(): Promise<void> {
    if (!this.#isUsed) return;
    for (const row of await this.#house.rows()) {
      if (!this.#house.promises.accepted.has(row.id) || row.bodies_deleted_at !== null) continue;
      if (row.error?.includes('not in the bucket')) throw new Error(`the payload of ${row.id} is gone`);
      if (row.status === 'succeeded') await this.#checkResult(row);
    }
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
