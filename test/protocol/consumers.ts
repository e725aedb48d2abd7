/**
 * The isolates that take batches from the shards' queues, each with its memory, its machine and the release it runs. After a
 * deploy those of the release before may go on beside the new ones.
 */
import { LastKnownServers } from '../../consumer/capacity/last-known.ts';
import { LongCalls } from '../../consumer/capacity/long-calls.ts';
import { membersOf } from '../../consumer/keys/pool/members.ts';
import type { Member } from '../../consumer/keys/pool/pool.ts';
import { type ConsumerKeys, readConsumerKeys } from '../../consumer/keys/secrets/consumer-keys.ts';
import { type Services, serviceSchema, servicesSchema } from '../../shared/service/definition.ts';
import { KnownServices } from '../../shared/service/known-services.ts';
import { Machine } from './machine.ts';

/** What a deploy decides. */
export interface Release {
  readonly services: Services;
  /** Of each shard, by variable. */
  readonly keys: readonly Readonly<Record<string, string>>[];
}

const FIRST: Release = {
  services: servicesSchema(true).parse({
    bound: { binding: 'BACKEND', callbackTimeoutSeconds: 300 },
    fetched: { baseUrl: 'http://backend.test', callbackTimeoutSeconds: 300, cancelPath: '/work/{id}' },
    served: { callbackTimeoutSeconds: 300 },
    keyed: { baseUrl: 'http://keyed.test', keyPool: 'default', callbackTimeoutSeconds: 300 },
  }),
  keys: [{ KEY1: 'sk-first-0123456789', KEY2: 'sk-second-0123456789' }],
};

/** The shards that have keys, as the plan writes them into `KEY_SHARDS`. */
export function keyShardsOf({ keys }: Release): { readonly default: number[] } {
  return { default: keys.flatMap((ofShard, shard) => (Object.keys(ofShard).length > 0 ? [shard] : [])) };
}

function knownServices({ services }: Release): KnownServices {
  const schema = serviceSchema(true);
  return new KnownServices(services, (definition) => schema.safeParse(definition).data);
}

export class Isolate {
  readonly shard: number;
  /** Its shard is being removed: it sends on what is in its queue (decision 0020). */
  readonly isDraining: boolean;
  readonly machine = new Machine();
  readonly servers = new LastKnownServers();
  readonly longCalls = new LongCalls();
  release: Release;
  #read:
    | { readonly of: Release; readonly known: KnownServices; readonly keys: ConsumerKeys; readonly toldAt: number[] }
    | undefined;

  constructor(release: Release, shard: number, isDraining = false) {
    this.release = release;
    this.shard = shard;
    this.isDraining = isDraining;
  }

  get known(): KnownServices {
    return this.#readRelease().known;
  }

  /** When the registry told it its services in time, by the house's clock. */
  get toldAt(): number[] {
    return this.#readRelease().toldAt;
  }

  get keys(): ConsumerKeys {
    return this.#readRelease().keys;
  }

  #readRelease() {
    if (this.#read?.of === this.release) return this.#read;
    const known = knownServices(this.release);
    const env = { ...this.release.keys[this.shard], KEY_SHARDS: keyShardsOf(this.release), KEY_POOL: {} };
    this.#read = { of: this.release, known, keys: readConsumerKeys(env, String(this.shard), known), toldAt: [] };
    return this.#read;
  }
}

export class Consumers {
  #release = FIRST;
  #isDraining = false;
  #isolates = [new Isolate(FIRST, 0)];
  /** Of those that may take a batch, the one that does. */
  choose = (isolates: readonly Isolate[]): Isolate | undefined => isolates.at(-1);
  /** Told of each isolate that starts. */
  onStart: ((isolate: Isolate) => void) | undefined;

  get release(): Release {
    return this.#release;
  }

  /** Without a deploy: as if they had always run it. */
  set release(release: Release) {
    this.#release = release;
    for (const isolate of this.#isolates) isolate.release = release;
  }

  /** The isolate that takes the next batch of a shard. */
  of(shard: number): Isolate {
    const isolate = this.choose(this.#isolates.filter((each) => each.shard === shard));
    if (isolate === undefined) throw new Error(`no consumer takes batches of shard ${shard}`);
    return isolate;
  }

  /** The second shard is being removed. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The keys of a shard as the newest of its isolates has them. */
  async membersOf(shard: number): Promise<readonly Member[] | undefined> {
    const isolate = this.#isolates.findLast((each) => each.shard === shard);
    return isolate && membersOf(isolate.keys.ring, 'default');
  }

  serves(shard: number): boolean {
    return this.#isolates.some((isolate) => isolate.shard === shard);
  }

  get all(): readonly Isolate[] {
    return this.#isolates;
  }

  start(shard = 0): void {
    const isolate = new Isolate(this.#release, shard, this.#isDraining && shard === 1);
    this.#isolates.push(isolate);
    this.onStart?.(isolate);
  }

  /** From now on isolates of the new release start, and those that run go on. */
  deploy(change: Partial<Release>): void {
    const before = this.#release;
    this.#release = { ...before, ...change };
    const isSingle = this.#release.keys.length === 1;
    this.#isDraining = isSingle && (before.keys.length > 1 || this.#isDraining);
    for (const shard of this.#release.keys.keys()) this.start(shard);
    if (this.#isDraining) this.start(1);
  }

  /** The second shard is gone, and with it all that took batches from its queue. */
  remove(): void {
    this.#isolates = this.#isolates.filter(({ shard }) => shard === 0);
    this.#isDraining = false;
  }

  /** Those of an earlier release take no batch any more. */
  retire(): void {
    this.#isolates = this.#isolates.filter(({ release }) => release === this.#release);
  }
}
