/** The producer's RPC to this shard's keys: looks at them, and does what an administrator asks. */
import { WorkerEntrypoint } from 'cloudflare:workers';
import { keyLabel, keyOfLabel } from '../../../shared/key/name.ts';
import {
  type BodyToRedact,
  KEY_ACTIONS,
  type KeyAction,
  type KeyFingerprint,
  type KeyRpc,
  type KeyView,
  type RedactedBody,
  type RedactedReport,
  type ReportToRedact,
} from '../../../shared/key/rpc.ts';
import { logInfo } from '../../../shared/log.ts';
import { readEnv } from '../../env.ts';
import { keyFingerprints } from '../secrets/discovery.ts';
import { redactBody, redactReport } from '../secrets/reported.ts';
import { membersOf } from './members.ts';

export class KeyAdmin extends WorkerEntrypoint implements KeyRpc {
  async describe(): Promise<KeyView[]> {
    const env = readEnv(this.env as object);
    const pools = [...env.keys.ring.pools.keys()].map(async (pool) => {
      const views = await env.keys.pool(pool).describe(await membersOf(env.keys.ring, pool));
      return views.map((view) => ({ ...view, pool, key: keyLabel({ pool, number: view.number }) }));
    });
    return (await Promise.all(pools)).flat();
  }

  fingerprints(): Promise<KeyFingerprint[]> {
    return keyFingerprints(this.env as Readonly<Record<string, unknown>>);
  }

  async change(key: string, action: KeyAction): Promise<KeyView | undefined> {
    const env = readEnv(this.env as object);
    const name = keyOfLabel(key);
    if (name === undefined || !KEY_ACTIONS.includes(action) || !env.keys.ring.pools.has(name.pool)) return undefined;
    const view = await env.keys.pool(name.pool).change(await membersOf(env.keys.ring, name.pool), name.number, action);
    if (view === undefined) return undefined;
    logInfo('key.changed', { shard: env.shard, pool: name.pool, key: name.number, action });
    return { ...view, pool: name.pool, key: keyLabel(name) };
  }

  redactReport(report: ReportToRedact): Promise<RedactedReport> {
    return redactReport(readEnv(this.env as object), report);
  }

  redactBody(description: BodyToRedact, body: ReadableStream<Uint8Array>): Promise<RedactedBody> {
    return redactBody(readEnv(this.env as object), description, body);
  }
}
