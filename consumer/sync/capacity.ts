/**
 * What a synchronous call holds while it runs: a place at a server, and a key where the service uses
 * a pool. Both are waited for as long as the client is patient, and given back together.
 */

import type { CallReport } from '../../shared/registry/routing.ts';
import type { Declined, SyncCall } from '../../shared/sync/call.ts';
import type { ConsumerEnv } from '../env.ts';
import { poolOf } from '../keys/pool-of.ts';
import type { KeyVerdict, LimitFacts } from '../keys/verdict.ts';
import { asksRegistry } from '../servers/server-leases.ts';
import { type HeldKey, takeKey } from './key-hold.ts';
import { FREE_PLACE, type Place, takePlace } from './place-hold.ts';

/** Beyond its time-out a call may stream; a consumer that dies meanwhile frees place and key after this. */
const STREAM_MS = 15 * 60_000;

/** A place that comes free sooner than was said is seen by looking again. */
const MAX_PAUSE_MS = 1_000;
const MIN_PAUSE_MS = 50;

/** How the call went, for the registry and the key pool. */
export interface Report {
  readonly outcome: CallReport['outcome'];
  readonly verdict: KeyVerdict;
  readonly facts?: LimitFacts | undefined;
  /** Unix ms: when a busy server may be called again. */
  readonly busyUntil?: number | undefined;
}

export class Held {
  readonly place: Place;
  readonly key: HeldKey | undefined;
  readonly #since = Date.now();

  constructor(place: Place, key: HeldKey | undefined) {
    this.place = place;
    this.key = key;
  }

  /** Safe to call once; never rejects. */
  async giveBack({ outcome, verdict, facts, busyUntil }: Report): Promise<void> {
    const durationMs = Date.now() - this.#since;
    await Promise.all([this.place.report(outcome, durationMs, busyUntil), this.key?.giveBack(verdict, facts)]);
  }
}

export type Taken =
  | { readonly is: 'held'; readonly held: Held }
  | { readonly is: 'declined'; readonly declined: Declined };

type Waiting = { readonly is: 'waiting'; readonly declined: Declined & { readonly until: number } };

export class Capacity {
  readonly #env: ConsumerEnv;
  readonly #call: SyncCall;
  readonly #patientUntil: number;
  #waits = 0;

  constructor(env: ConsumerEnv, call: SyncCall) {
    this.#env = env;
    this.#call = call;
    this.#patientUntil = Date.now() + call.patienceMs;
  }

  async take(timeoutMs: number): Promise<Taken> {
    for (;;) {
      const taken = await this.#tryToTake(Date.now() + timeoutMs + STREAM_MS);
      if (taken.is !== 'waiting') return taken;
      const now = Date.now();
      const { declined } = taken;
      if (declined.until > this.#patientUntil || now >= this.#patientUntil) return { is: 'declined', declined };
      this.#waits += 1;
      await scheduler.wait(Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, declined.until - now)));
    }
  }

  async #tryToTake(expiresAt: number): Promise<Taken | Waiting> {
    const placed = await this.#takePlace(expiresAt);
    if (placed.is === 'waiting') return placed;
    const { place } = placed;
    const pool = poolOf(this.#env, this.#call.service);
    if (pool === undefined) return { is: 'held', held: new Held(place, undefined) };
    const { id } = this.#call;
    const request = { id, pool, waits: this.#waits, patientUntil: this.#patientUntil, expiresAt };
    const keyed = await takeKey(this.#env, request);
    if (keyed.is === 'held') return { is: 'held', held: new Held(place, keyed.key) };
    await place.report('unused', 0);
    return keyed.is === 'waiting' ? keyed : { is: 'declined', declined: { why: 'key-refused' } };
  }

  async #takePlace(expiresAt: number): Promise<{ readonly is: 'held'; readonly place: Place } | Waiting> {
    const { id, service } = this.#call;
    if (!asksRegistry(this.#env, service, this.#env.known.find(service))) return { is: 'held', place: FREE_PLACE };
    return takePlace(this.#env, { id, service, waits: this.#waits, expiresAt });
  }
}
