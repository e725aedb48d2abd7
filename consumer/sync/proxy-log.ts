/** The one log event of a synchronous call's try: fixed fields, and never a header, body or secret. */
import { logInfo } from '../../shared/log.ts';

export interface ProxyFacts {
  readonly id: string;
  readonly service: string;
  readonly shard: string;
  readonly server: string | undefined;
  readonly key: number | undefined;
  /** How the answer ended, or why there was none. */
  readonly outcome: string;
  readonly httpStatus?: number | undefined;
  readonly tries: number;
  /** Unix ms. */
  readonly startedAt: number;
  readonly traceId: string;
}

export function logProxied({ startedAt, ...facts }: ProxyFacts): void {
  const now = Date.now();
  logInfo('call.relayed', { ...facts, startedAt: new Date(startedAt).toISOString(), durationMs: now - startedAt });
}
