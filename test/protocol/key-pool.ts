/**
 * The object of a key pool as the platform keeps it: the real host with its storage and alarm, under the house's
 * clock. It may be gone from memory at any moment, and with it whatever it was doing.
 */
import type { StoreEnv } from '../../callback/env.ts';
import { KeyPoolHost, type PoolPlatform } from '../../consumer/keys/pool/host.ts';
import type { KeyRequest } from '../../consumer/keys/pool/lease.ts';
import type { Member, Pool } from '../../consumer/keys/pool/pool.ts';
import type { KeyRelease } from '../../consumer/keys/pool/release.ts';
import type { KeyAction } from '../../shared/key/rpc.ts';
import type { SnapshotRow } from '../../shared/object/snapshot-rows.ts';
import { keepKeySwitch, readKeySwitches } from '../../shared/store/key-switches.ts';
import { never } from './clock.ts';
import type { Ending } from './faults.ts';
import { Disk, Incarnation } from './incarnation.ts';
import { inTheWorld, Machine } from './machine.ts';

class Rows {
  readonly #rows = new Map<string, string>();

  read(): SnapshotRow[] {
    return Array.from(this.#rows, ([id, value]) => ({ id, value }));
  }

  get pool(): Partial<Pick<Pool, 'members'>> {
    return JSON.parse(this.#rows.get('pool') ?? '{}') as Partial<Pick<Pool, 'members'>>;
  }

  writeOne({ id, value }: SnapshotRow): void {
    this.#rows.set(id, value);
  }

  write(rows: readonly SnapshotRow[], ...others: readonly string[]): void {
    const kept = new Set([...others, ...rows.map(({ id }) => id)]);
    for (const row of rows) this.writeOne(row);
    for (const id of [...this.#rows.keys()]) if (!kept.has(id)) this.#rows.delete(id);
  }
}

export type PoolLedger = Pick<PoolPlatform, 'releaseLine' | 'readSwitches' | 'keepSwitch'>;

export class KeyPoolObject {
  readonly machine = new Machine();
  readonly disk = new Disk(() => this.#ask((host) => host.ring()));
  readonly #name: string;
  readonly #ledger: PoolLedger;
  readonly #rows = new Rows();
  #memory: Incarnation<KeyPoolHost> | undefined;

  constructor(name: string, ledger: PoolLedger) {
    this.#name = name;
    this.#ledger = ledger;
  }

  lease(request: KeyRequest) {
    return this.#ask((host) => host.lease(request));
  }

  release(request: KeyRelease) {
    return this.#ask((host) => host.release(request));
  }

  change(members: readonly Member[], number: number, action: KeyAction) {
    return this.#ask((host) => host.change(members, number, action));
  }

  /** How the keys stand that it has met: to look asks the ledger nothing. */
  look(members: readonly Member[]) {
    const { members: met = [] } = this.#rows.pool;
    const known = members.filter(({ fingerprint }) => met.some((each) => each.fingerprint === fingerprint));
    return this.#ask((host) => host.describe(known));
  }

  /** Gone from memory: what was not written is lost, and what it was asked has no answer. Its alarm stays. */
  evict(): void {
    this.#memory?.end();
    this.#memory = undefined;
  }

  /** With the Worker that it belongs to: nothing of it is left. */
  remove(): void {
    this.evict();
    this.disk.clear();
    this.#rows.write([]);
  }

  #awake(): Incarnation<KeyPoolHost> {
    this.#memory ??= new Incarnation((isOver) =>
      this.machine.run(() => new KeyPoolHost(this.#name, this.#platform(isOver))),
    );
    return this.#memory;
  }

  #ask<Value>(question: (host: KeyPoolHost) => Promise<Value>): Promise<Value> {
    return this.#awake().ask((host) => this.machine.run(() => question(host)));
  }

  #mayWrite(): boolean {
    if (!this.disk.fails()) return true;
    this.evict();
    return false;
  }

  #platform(isOver: () => boolean): PoolPlatform {
    const rows = this.#rows;
    return {
      storage: {
        read: () => rows.read(),
        writeOne: (row) => {
          if (!isOver() && this.#mayWrite()) rows.writeOne(row);
        },
        write: (written, ...others) => {
          if (!isOver() && this.#mayWrite()) rows.write(written, ...others);
        },
      },
      setAlarm: async (at) => {
        if (!isOver()) this.disk.setAlarm(at);
      },
      releaseLine: (request) => (isOver() ? never() : inTheWorld(() => this.#ledger.releaseLine(request))),
      readSwitches: (keys) => (isOver() ? never() : inTheWorld(() => this.#ledger.readSwitches(keys))),
      keepSwitch: (change) => (isOver() ? never() : inTheWorld(() => this.#ledger.keepSwitch(change))),
      inBackground: () => undefined,
    };
  }
}

interface CallbackWorker {
  callback<Value>(name: string, work: (callback: StoreEnv) => Promise<Value>): Promise<Ending<Value>>;
}

/** As a pool reaches it, with its faults. */
export function poolLedger(house: CallbackWorker, releaseLine: PoolLedger['releaseLine']): PoolLedger {
  const asked = async <Value>(work: (callback: StoreEnv) => Promise<Value>): Promise<Value> => {
    const ending = await house.callback('key switches', work);
    if (ending.kind === 'returned') return ending.value;
    throw new Error('the ledger does not answer');
  };
  return {
    releaseLine,
    readSwitches: (keys) => asked(({ stores }) => readKeySwitches(stores.control, keys)),
    keepSwitch: (change) => asked(({ stores }) => keepKeySwitch(stores.control, change)),
  };
}
