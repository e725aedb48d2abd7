/**
 * One pool's keys on one shard: the only place that decides which call may use which key, and when, and the
 * owner of the line of those that wait. It knows numbers and fingerprints of keys, never values, and answers two
 * calls a batch: a lease and its release.
 */
import { DurableObject } from 'cloudflare:workers';
import type { KeyAction } from '../../../shared/key/rpc.ts';
import type { KeySwitchHost } from '../../../shared/key/switch.ts';
import type { LineHost } from '../../../shared/ledger/line.ts';
import { SnapshotRows } from '../../../shared/object/snapshot-rows.ts';
import { KeyPoolHost } from './host.ts';
import type { BriefKeyAnswer, KeyRequest } from './lease.ts';
import type { Member } from './pool.ts';
import type { KeyNotice, KeyRelease } from './release.ts';
import type { PooledKeyView } from './view.ts';

type Env = { readonly LEDGER?: LineHost & KeySwitchHost };

export class KeyPool extends DurableObject<Env> {
  readonly #host: KeyPoolHost;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#host = new KeyPoolHost(context.id.name ?? '', {
      storage: new SnapshotRows(context.storage.sql),
      setAlarm: (at) => context.storage.setAlarm(at),
      releaseLine: async (request) => env.LEDGER?.releaseLine(request),
      readSwitches: async (fingerprints) => env.LEDGER?.readKeySwitches(fingerprints) ?? [],
      keepSwitch: async (change) => env.LEDGER?.keepKeySwitch(change),
      inBackground: (work) => context.waitUntil(work),
    });
  }

  lease(request: KeyRequest): Promise<readonly BriefKeyAnswer[]> {
    return this.#host.lease(request);
  }

  release(request: KeyRelease): Promise<KeyNotice[]> {
    return this.#host.release(request);
  }

  describe(members: readonly Member[]): Promise<PooledKeyView[]> {
    return this.#host.describe(members);
  }

  change(members: readonly Member[], number: number, action: KeyAction): Promise<PooledKeyView | undefined> {
    return this.#host.change(members, number, action);
  }

  override alarm(): Promise<void> {
    return this.#host.ring();
  }
}
