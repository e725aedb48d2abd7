/** Takes what a synchronous call needs, and waits for it as long as the client is patient. */

import type { Declined, SyncCall } from '../../shared/sync/call.ts';
import { asksRegistry } from '../capacity/place-source.ts';
import { poolOf } from '../capacity/pool-of.ts';
import { Acquired } from './acquired.ts';
import { takeKey } from './key-hold.ts';
import { FREE_PLACE, type ServerPlace, takePlace } from './place-hold.ts';
import type { SyncEnv } from './sync-env.ts';

/** Beyond its time-out a call may stream; a consumer that dies meanwhile frees place and key after this. */
const STREAM_MS = 15 * 60_000;

/** A place that comes free sooner than was said is seen by looking again. */
const MAX_PAUSE_MS = 1_000;
const MIN_PAUSE_MS = 50;

export type Taken =
  | { readonly kind: 'acquired'; readonly acquired: Acquired }
  | { readonly kind: 'declined'; readonly declined: Declined };

type Waiting = { readonly kind: 'waiting'; readonly declined: Declined & { readonly until: number } };

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

  async take(timeoutMs: number): Promise<Taken> {
    for (;;) {
      const taken = await this.#tryToTake(Date.now() + timeoutMs + STREAM_MS);
      if (taken.kind !== 'waiting') return taken;
      const now = Date.now();
      const { declined } = taken;
      const { patientUntil } = this.#call;
      // Nobody knows when a server comes back: worth looking for as long as there is time.
      const isHopeless = declined.why !== 'no-server' && declined.until > patientUntil;
      if (isHopeless || now >= patientUntil) return { kind: 'declined', declined };
      this.#waits += 1;
      const pauseMs = Math.min(declined.until, patientUntil) - now;
      await scheduler.wait(Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, pauseMs)));
    }
  }

  async #tryToTake(expiresAt: number): Promise<Taken | Waiting> {
    const placed = await this.#takePlace(expiresAt);
    if (placed.kind === 'waiting') return placed;
    const { place } = placed;
    const pool = poolOf(this.#env, this.#call.service);
    if (pool === undefined) return { kind: 'acquired', acquired: new Acquired(place, undefined) };
    const { id } = this.#call;
    const keyed = await takeKey(this.#env, { id, pool, bucket: this.#bucket, expiresAt });
    if (keyed.kind === 'acquired') return { kind: 'acquired', acquired: new Acquired(place, keyed.key) };
    await place.report({ outcome: 'unused', durationMs: 0 });
    return keyed.kind === 'waiting' ? keyed : { kind: 'declined', declined: { why: 'key-refused' } };
  }

  async #takePlace(expiresAt: number): Promise<{ readonly kind: 'acquired'; readonly place: ServerPlace } | Waiting> {
    const { id, service, patientUntil } = this.#call;
    if (!asksRegistry(this.#env, service, this.#env.known.find(service)))
      return { kind: 'acquired', place: FREE_PLACE };
    return takePlace(this.#env, { id, service, waits: this.#waits, patientUntil, expiresAt });
  }
}
