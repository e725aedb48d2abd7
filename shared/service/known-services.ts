/**
 * The service definitions that a Worker knows: those of wrangler.toml, and over them those that were
 * put at run time, as the registry last told. Plain data in the isolate's memory: losing it costs a
 * question. While the registry cannot be asked, what was last known stays. Clock handed in.
 */

import { byName } from '../by-name.ts';
import type { ServiceCatalog } from '../registry/routing.ts';
import { hookServiceOf } from '../webhook/definition.ts';
import type { ServiceDefinition, Services } from './definition.ts';

/** What is older is read again. */
const FRESH_MS = 5_000;

/** A name that nobody knows is asked for at most this often. */
export const ASK_AGAIN_MS = 1_000;

/** By then every batch and request that begins goes by a definition that was put, as long as the registry answers. */
export const KNOWN_WITHIN_MS = FRESH_MS + ASK_AGAIN_MS;

export interface ReadReason {
  /** A name is not known, or the registry names a newer catalog. */
  readonly urgent?: boolean;
  /** This Worker has just changed a definition. */
  readonly changed?: boolean;
}

type Parse = (definition: unknown) => ServiceDefinition | undefined;

export class KnownServices {
  readonly #base: Services;
  readonly #parse: Parse;
  #version = 0;
  #put: Services = byName();
  #all: Services;
  #paused: ReadonlySet<string> = new Set();
  #pausedUntil: Readonly<Record<string, number>> = byName();
  #limited: ReadonlySet<string> = new Set();
  #deleted: Readonly<Record<string, number>> = byName();
  #askedAt = Number.NEGATIVE_INFINITY;
  #readAt = Number.NEGATIVE_INFINITY;
  /** When a question was last answered, or failed. */
  #endedAt = Number.NEGATIVE_INFINITY;

  /** @param parse undefined for what this release cannot read */
  constructor(base: Services, parse: Parse) {
    this.#base = byName(base);
    this.#all = this.#base;
    this.#parse = parse;
  }

  get all(): Services {
    return this.#all;
  }

  get version(): number {
    return this.#version;
  }

  find(name: string): ServiceDefinition | undefined {
    return this.#all[name] ?? hookServiceOf(name);
  }

  /** The definition when it was put at run time: another isolate may not know it yet. */
  findPut(name: string): ServiceDefinition | undefined {
    return this.#put[name];
  }

  isPaused(name: string): boolean {
    return this.#paused.has(name);
  }

  /** @returns undefined when it is not paused; `until`: when it goes on by itself, Unix ms */
  pauseOf(name: string): { readonly until: number | undefined } | undefined {
    return this.isPaused(name) ? { until: this.#pausedUntil[name] } : undefined;
  }

  /** When the service of this name was deleted, Unix ms; undefined when it was not. */
  deletedAt(name: string): number | undefined {
    return this.#deleted[name];
  }

  /** The registry is to be asked for its calls, although its definition does not say so. */
  isLimited(name: string): boolean {
    return this.#limited.has(name);
  }

  /** Until the registry says what it makes of it. */
  noteLimited(name: string): void {
    this.#limited = new Set([...this.#limited, name]);
  }

  /** The registry has neither answered nor failed yet. */
  get isUnread(): boolean {
    return this.#endedAt === Number.NEGATIVE_INFINITY;
  }

  /** The registry has answered since. */
  isReadSince(at: number): boolean {
    return this.#readAt >= at;
  }

  /** What was put before may be known by now, as far as the registry answers. */
  isAskedSince(at: number): boolean {
    return this.#askedAt >= at;
  }

  shouldRead(now: number, { urgent = false, changed = false }: ReadReason = {}): boolean {
    if (changed) return true;
    if (now - this.#askedAt < ASK_AGAIN_MS) return false;
    return urgent || now - this.#readAt >= FRESH_MS;
  }

  /** A question is under way whose answer may hold what is missing. */
  isAsking(now: number): boolean {
    return this.#askedAt > this.#endedAt && now - this.#askedAt < ASK_AGAIN_MS;
  }

  noteAsked(now: number): void {
    this.#askedAt = now;
  }

  /** The registry has named the version that is known. */
  noteCurrent(now: number): void {
    this.#readAt = Math.max(this.#readAt, now);
    this.#endedAt = Math.max(this.#endedAt, now);
  }

  noteFailed(now: number): void {
    this.#endedAt = Math.max(now, this.#askedAt);
  }

  /**
   * @param catalog undefined when what is known is current
   * @returns names whose definitions this release cannot read; what was known of them stays
   */
  take(catalog: ServiceCatalog | undefined, now: number): string[] {
    this.#readAt = Math.max(now, this.#askedAt);
    this.#endedAt = this.#readAt;
    if (catalog === undefined || catalog.version === this.#version) return [];
    const unreadable: string[] = [];
    const put: Record<string, ServiceDefinition> = Object.create(null);
    for (const [name, definition] of Object.entries(catalog.services)) {
      const parsed = this.#parse(definition);
      if (parsed === undefined) unreadable.push(name);
      const known = parsed ?? this.findPut(name);
      if (known !== undefined) put[name] = known;
    }
    this.#version = catalog.version;
    this.#put = put;
    this.#all = byName(this.#base, put);
    this.#paused = new Set(catalog.paused);
    this.#pausedUntil = byName(catalog.pausedUntil ?? {});
    this.#limited = new Set(catalog.limited);
    this.#deleted = byName(catalog.deleted ?? {});
    return unreadable;
  }
}
