/**
 * The consumers' RPC to the ledger. `open()` starts a session that lives as long as the consumer's
 * batch; all its calls are one Worker invocation. The session holds no state: losing it loses nothing.
 */
import { RpcTarget, WorkerEntrypoint } from 'cloudflare:workers';
import * as z from 'zod';
import { FingerprintSchema, type KeySwitch, type KeySwitchHost, KeySwitchSchema } from '../shared/key/switch.ts';
import {
  type ClaimBatch,
  ClaimBatchSchema,
  ClaimSchema,
  type Denial,
  type Grant,
  type LedgerSession,
  type Settled,
  type Settlement,
  SettlementSchema,
} from '../shared/ledger/contract.ts';
import {
  type LineDescription,
  type LineHost,
  LineSchema,
  type ReleaseAnswer,
  type ReleaseRequest,
  ReleaseRequestSchema,
} from '../shared/ledger/line.ts';
import {
  type AbandonedLease,
  AbandonedLeaseSchema,
  type CallReports,
  type RouteAnswer,
  type RouteRequest,
  readCallReports,
  readRouteRequest,
  type ServiceCatalog,
} from '../shared/registry/routing.ts';
import { parseEach } from '../shared/rpc/parse-each.ts';
import { keepKeySwitch, readKeySwitches } from '../shared/store/key-switches.ts';
import { readCancelled } from '../shared/store/read.ts';
import type { Disposition } from '../shared/task/disposition.ts';
import { TASK_ID_PATTERN } from '../shared/task/id.ts';
import { answerByStore } from './by-store.ts';
import { type CallbackEnv, readEnv } from './env.ts';
import { describeLines, releaseLine } from './parking.ts';
import { askRegistry } from './registry/asking.ts';
import { answerClaims } from './runs/claim.ts';
import { settleAttempts } from './runs/settle.ts';
import { writeDueStatistics } from './statistics.ts';

const ElementsSchema = z.array(z.unknown());
const IdsSchema = z.array(z.string().regex(TASK_ID_PATTERN));
const UNREADABLE_DISPOSITION: Disposition = { kind: 'retry', delayMs: 60_000 };
const FingerprintsSchema = z.array(FingerprintSchema);
const LinesSchema = z.array(LineSchema);
const VersionSchema = z.number().int();

/** A settlement that cannot be read is answered too: its task runs again after the lease. */
function unreadableAmong(elements: readonly unknown[], readable: readonly Settlement[]): Settled[] {
  const known = new Set(readable.map(({ id }) => id));
  const ids = elements.map((element) => (element as { id?: unknown } | null)?.id);
  return ids.flatMap((id): Settled[] =>
    typeof id !== 'string' || known.has(id) ? [] : [{ id, status: 'unreadable', disposition: UNREADABLE_DISPOSITION }],
  );
}

class Session extends RpcTarget implements LedgerSession {
  readonly #env: CallbackEnv;
  readonly #context: ExecutionContext;

  constructor(env: CallbackEnv, context: ExecutionContext) {
    super();
    this.#env = env;
    this.#context = context;
  }

  claim(batch: ClaimBatch): Promise<(Grant | Denial)[]> {
    const { nonce, claims, delivered, awaitedUntil = Number.POSITIVE_INFINITY } = ClaimBatchSchema.parse(batch);
    if (awaitedUntil <= Date.now()) return Promise.resolve([]);
    const { statistics } = this.#env;
    if (delivered !== undefined) statistics.noteDurations('queue', delivered.shard, delivered.ms, Date.now());
    return answerClaims(this.#env, { nonce, claims: parseEach(ClaimSchema, claims, 'claim') }, Date.now());
  }

  async settle(settlements: Settlement[]): Promise<Settled[]> {
    const elements = ElementsSchema.parse(settlements);
    const readable = parseEach(SettlementSchema, elements, 'settlement');
    const settled = await settleAttempts(this.#env, readable, Date.now());
    this.#keepStatistics();
    return readable.length === elements.length ? settled : [...settled, ...unreadableAmong(elements, readable)];
  }

  /** Beside the answer: the batch does not wait for its statistics. */
  #keepStatistics(): void {
    const { stores, statistics } = this.#env;
    const now = Date.now();
    const written = writeDueStatistics(stores.control, statistics, now);
    if (written !== undefined) this.#context.waitUntil(written);
    const pauseMs = statistics.planFlush(now);
    if (pauseMs === undefined) return;
    const flush = async () => {
      await scheduler.wait(pauseMs);
      await writeDueStatistics(stores.control, statistics, Date.now());
    };
    this.#context.waitUntil(flush());
  }

  cancelledAmong(ids: string[]): Promise<string[]> {
    return answerByStore(
      this.#env,
      IdsSchema.parse(ids),
      (id) => id,
      ({ db }, part) => readCancelled(db, part),
    );
  }

  route(request: RouteRequest): Promise<RouteAnswer> {
    const parsed = readRouteRequest(request);
    return askRegistry(this.#env.serverRegistry, (registry) => registry.route(parsed), parsed.flowShard);
  }

  reportCalls(reports: CallReports): Promise<void> {
    const parsed = readCallReports(reports);
    return askRegistry(this.#env.serverRegistry, (registry) => registry.reportCalls(parsed), parsed.flowShard);
  }

  giveUp(lease: AbandonedLease): Promise<void> {
    const parsed = AbandonedLeaseSchema.parse(lease);
    return askRegistry(this.#env.serverRegistry, (registry) => registry.giveUp(parsed), parsed.flowShard);
  }

  readServices(known: number): Promise<ServiceCatalog | undefined> {
    const version = VersionSchema.parse(known);
    return askRegistry(this.#env.serverRegistry, (registry) => registry.readServices(version));
  }
}

export class Ledger extends WorkerEntrypoint implements LineHost, KeySwitchHost {
  async open(): Promise<Session> {
    return new Session(await readEnv(this.env as object), this.ctx);
  }

  async releaseLine(request: ReleaseRequest): Promise<ReleaseAnswer> {
    return releaseLine(await readEnv(this.env as object), ReleaseRequestSchema.parse(request), Date.now());
  }

  async describeLines(lines: string[]): Promise<LineDescription[]> {
    return describeLines(await readEnv(this.env as object), LinesSchema.parse(lines));
  }

  async readKeySwitches(fingerprints: string[]): Promise<KeySwitch[]> {
    const { stores } = await readEnv(this.env as object);
    return readKeySwitches(stores.control, FingerprintsSchema.parse(fingerprints));
  }

  async keepKeySwitch(change: KeySwitch): Promise<void> {
    const { stores } = await readEnv(this.env as object);
    await keepKeySwitch(stores.control, KeySwitchSchema.parse(change));
  }
}
