/** The producer's way to synchronous calls: each is forwarded to a backend with this shard's keys. */
import { WorkerEntrypoint } from 'cloudflare:workers';
import { CALL_HEADER, SyncCallSchema } from '../../shared/sync/call.ts';
import { readEnv } from '../env.ts';
import { proxy } from './proxy.ts';

export class SyncCall extends WorkerEntrypoint {
  override async fetch(request: Request): Promise<Response> {
    const env = readEnv(this.env as object);
    const call = SyncCallSchema.parse(JSON.parse(request.headers.get(CALL_HEADER) ?? '{}'));
    return proxy(env, request, call, (work) => this.ctx.waitUntil(work));
  }
}
