/**
 * The object of a key pool as the platform keeps it: the real host with its storage and alarm, under the house's
 * clock. It may be gone from memory at any moment.
 */
import { KeyPoolHost, type PoolPlatform } from '../../consumer/keys/pool/host.ts';
import type { KeyRequest } from '../../consumer/keys/pool/lease.ts';
import type { Member } from '../../consumer/keys/pool/pool.ts';
import type { KeyRelease } from '../../consumer/keys/pool/release.ts';
import type { SnapshotRow } from '../../shared/object/snapshot-rows.ts';

class Rows {
  readonly #rows = new Map<string, string>();

  read(): SnapshotRow[] {
    return Array.from(this.#rows, ([id, value]) => ({ id, value }));
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

export class KeyPoolObject {
  readonly #name: string;
  readonly #releaseLine: PoolPlatform['releaseLine'];
  readonly #rows = new Rows();
  #host: KeyPoolHost | undefined;
  #alarm: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, releaseLine: PoolPlatform['releaseLine']) {
    this.#name = name;
    this.#releaseLine = releaseLine;
  }

  lease(request: KeyRequest) {
    return this.#awake().lease(request);
  }

  release(request: KeyRelease) {
    return this.#awake().release(request);
  }

  describe(members: readonly Member[]) {
    return this.#awake().describe(members);
  }

  /** Gone from memory: what was not written is lost. Its alarm stays. */
  evict(): void {
    this.#host = undefined;
  }

  #awake(): KeyPoolHost {
    this.#host ??= new KeyPoolHost(this.#name, {
      storage: this.#rows,
      setAlarm: async (at) => {
        if (this.#alarm !== undefined) clearTimeout(this.#alarm);
        this.#alarm = setTimeout(() => void this.#awake().ring(), Math.max(0, at - Date.now()));
      },
      releaseLine: this.#releaseLine,
      inBackground: () => undefined,
    });
    return this.#host;
  }
}
