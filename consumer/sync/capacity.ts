/** Takes what a synchronous call needs, and waits for it as long as the client is patient. */

import type { SyncCall } from '../../shared/sync/call.ts';
import { poolOf } from '../capacity/pool-of.ts';
import { Acquired } from './acquired.ts';
import { takeKey } from './key-hold.ts';
import { takePlace } from './place-hold.ts';
import type { SyncEnv } from './sync-env.ts';
import type { Taken } from './taken.ts';

/** Beyond its time-out a call may stream; a consumer that dies meanwhile frees place and key after this. */
const STREAM_MS = 15 * 60_000;

/** A place that comes free sooner than was said is seen by looking again. */
const MAX_PAUSE_MS = 1_000;
const MIN_PAUSE_MS = 50;

export class Capacity {
  readonly #env: SyncEnv;
  readonly #call: SyncCall;
  readonly #bucket: string | undefined;
  #waits = 0;

  /** @param bucket that the call's limits are counted in */
  constructor(env: SyncEnv, call: SyncCall, bucket: string | undefined) {
    this.#env = env;
    this.#call = call;
    this.#bucket = bucket;
  }

  /** @returns what was taken, or why the client's patience is in vain */
  async take(timeoutMs: number): Promise<Taken<Acquired>> {
    for (;;) {
      const taken = await this.#tryToTake(Date.now() + timeoutMs + STREAM_MS);
      if (taken.kind === 'taken') return taken;
      const now = Date.now();
      const { why, until = Infinity } = taken.declined;
      const { patientUntil } = this.#call;
      // Nobody knows when a server comes back: worth looking for as long as there is time.
      const isHopeless = why !== 'no-server' && until > patientUntil;
      if (isHopeless || now >= patientUntil) return taken;
      this.#waits += 1;
      const pauseMs = Math.min(until, patientUntil) - now;
      await scheduler.wait(Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, pauseMs)));
    }
  }

  async #tryToTake(expiresAt: number): Promise<Taken<Acquired>> {
    const placed = await takePlace(this.#env, this.#call, this.#waits, expiresAt);
    if (placed.kind !== 'taken') return placed;
    const { value: place } = placed;
    const pool = poolOf(this.#env, this.#call.service);
    if (pool === undefined) return { kind: 'taken', value: new Acquired(place, undefined) };
    const keyed = await takeKey(this.#env, pool, { id: this.#call.id, bucket: this.#bucket }, expiresAt);
    if (keyed.kind === 'taken') return { kind: 'taken', value: new Acquired(place, keyed.value) };
    await place.report({ outcome: 'unused', durationMs: 0 });
    return keyed;
  }
}
