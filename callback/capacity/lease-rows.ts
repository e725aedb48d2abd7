/** Leases that outlive a restart of the registry's object, as rows of its own beside its snapshots. */
import type { SnapshotRows } from '../../shared/object/snapshot-rows.ts';
import type { LeaseStore } from './places.ts';

const PREFIX = 'lease ';

export class LeaseRows implements LeaseStore {
  readonly #rows: Pick<SnapshotRows, 'read' | 'writeOne' | 'delete'>;

  constructor(rows: Pick<SnapshotRows, 'read' | 'writeOne' | 'delete'>) {
    this.#rows = rows;
  }

  read(): string[] {
    return this.#rows.read().flatMap(({ id, value }) => (id.startsWith(PREFIX) ? [value] : []));
  }

  write(lease: string, text: string | undefined): void {
    const id = PREFIX + lease;
    if (text === undefined) this.#rows.delete(id);
    else this.#rows.writeOne({ id, value: text });
  }
}
