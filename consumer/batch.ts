/**
 * The way of a batch: read, claim, call, settle, and a disposition for every message. Any await may be
 * the last one: whatever was not settled is still leased in its row and unacked in its queue.
 */
import type { Settled, Settlement } from '../shared/ledger/contract.ts';
import { logError } from '../shared/log.ts';
import { ASK_AGAIN_MS } from '../shared/service/known-services.ts';
import { refreshServices } from '../shared/service/refresh.ts';
import { definitionOfMessage } from '../shared/webhook/definition.ts';
import { AttemptSpans } from './call/attempt-spans.ts';
import { type Call, type EndedCall, notCalled, settlementOf } from './call/call.ts';
import { CallRunner } from './call/call-runner.ts';
import { serversOf, tellAborted, tellCancelled } from './call/tell-cancelled.ts';
import { Background } from './capacity/background.ts';
import { FlowLeases } from './capacity/flow-leases.ts';
import { KeyLeases } from './capacity/key-leases.ts';
import { asksRegistry } from './capacity/place-source.ts';
import { ServerLeases } from './capacity/server-leases.ts';
import { callOf, claimTasks, idOf, serviceOf } from './delivery/claims.ts';
import { Deliveries } from './delivery/deliveries.ts';
import { deliveryTimes, type Inbox, readInbox, sentAt, type WaitingTask } from './delivery/inbox.ts';
import { LedgerConversation, MAX_LEDGER_SESSIONS } from './delivery/ledger-session.ts';
import { carryOutcomes, settleCarried } from './delivery/outcomes.ts';
import { Settler } from './delivery/settler.ts';
import type { ConsumerEnv } from './env.ts';

/** A message of another release: minutes until that release is here, or is back. */
const UNREADABLE_DELAY_MS = 60_000;

/** Left for a later delivery because the invocations of this one are spent. */
const CROWDED_OUT_DELAY_MS = 1_000;

/**
 * One request may cause 32 Worker invocations (Workers limits, service bindings): the ledger's sessions, and
 * one for each call of a bound Worker. What does not fit is left for a later delivery, unclaimed.
 */
const MAX_INVOCATIONS = 32;
const MAX_TOLD_BOUND = 2;
const MAX_BOUND_CALLS = MAX_INVOCATIONS - MAX_LEDGER_SESSIONS - MAX_TOLD_BOUND;

/** Cancellations that one batch tells over the network, so that they end with its calls. */
const MAX_TOLD_FETCHED = 6;

/** A row of another release: minutes until that release is here. */
const UNREADABLE_REQUEST_DELAY_MS = 60_000;

/**
 * @param backlog messages that wait in the queue meanwhile
 * @param background takes what nothing waits for: the push of traces
 */
export async function runBatch(
  worker: ConsumerEnv,
  messages: readonly Message<unknown>[],
  backlog: number,
  background: (work: Promise<void>) => void = () => undefined,
): Promise<void> {
  const inbox = readInbox(messages);
  const deliveries = new Deliveries(worker.ownQueue, inbox.messages, inbox.foreign, worker.draining);
  using ledger = new LedgerConversation(worker.ledger);
  await loadServices(worker, ledger, new Set([...inbox.tasks.values()].map(serviceOf)));
  // A copy: the definitions stay what they are while the batch lasts.
  const env: ConsumerEnv = { ...worker };
  const spans = env.otlp && new AttemptSpans(env.otlp, env.shard);
  try {
    for (const key of [...inbox.newer, ...inbox.foreign]) {
      logError('message.unreadable', { shard: env.shard, key, newer: inbox.newer.has(key) });
      deliveries.decide(key, { kind: 'retry', delayMs: UNREADABLE_DELAY_MS });
    }
    await Promise.all([
      runTasks(env, inbox, deliveries, ledger, backlog, spans),
      runCancels(env, inbox, deliveries),
      settleCarried(ledger, inbox, deliveries, (id, service, server) => tellAccepted(env, service, id, server)),
    ]);
  } catch (error) {
    logError('batch.failed', { shard: env.shard, tasks: inbox.tasks.size }, error);
  } finally {
    await deliveries.finish();
    if (spans !== undefined) background(spans.push());
  }
}

async function runTasks(
  env: ConsumerEnv,
  inbox: Inbox,
  deliveries: Deliveries,
  ledger: LedgerConversation,
  backlog: number,
  spans: AttemptSpans | undefined,
): Promise<void> {
  const admitted = admit(env, inbox, deliveries);
  if (admitted.length === 0) return;
  const answers = await claimTasks(env, ledger, admitted, deliveryTimes(inbox, Date.now()));

  const calls: Call[] = [];
  const unreadable: EndedCall[] = [];
  for (const answer of answers) {
    const message = inbox.tasks.get(answer.id);
    if (!answer.granted) deliveries.decide(answer.id, answer.disposition);
    if (!answer.granted || message === undefined) continue;
    const { call, problem } = callOf(answer, message);
    calls.push(call);
    if (problem !== undefined) unreadable.push(notStarted(call.id, 'misconfigured', problem));
  }
  /** With the registered servers that work on them. */
  const accepted = new Map<string, string | undefined>();
  const telling: Promise<void>[] = [];
  const onSettled = ({ id, status, disposition }: Settled) => {
    const shard = keys.shardFor(id);
    deliveries.decide(id, disposition, shard === undefined ? undefined : env.keys.shardQueue(shard));
    // Cancelled before its 202 was recorded: only this batch knows that a backend works on it.
    const message = status === 'cancelled' && accepted.has(id) ? inbox.tasks.get(id) : undefined;
    if (message !== undefined) telling.push(tellAccepted(env, serviceOf(message), id, accepted.get(id)));
  };
  const settler = new Settler(ledger, calls.length, onSettled, (unrecorded) =>
    carryOutcomes(unrecorded, inbox, deliveries),
  );
  /** Calls that were neither begun nor settled. */
  const pending = new Map(calls.map((call) => [call.id, call]));
  const callOfId = new Map(pending);
  const settle = (ended: readonly EndedCall[]) => {
    flows.release(ended);
    const those = ended.flatMap(({ id }) => callOfId.get(id) ?? []);
    servers.settled(those);
    keys.settled(those);
    const settlements = ended.flatMap((each) => settlementsOf(env, callOfId.get(each.id), each));
    for (const { id, event, server } of settlements) {
      pending.delete(id);
      if (event.type === 'accept') accepted.set(id, server);
    }
    settler.add(settlements);
  };
  const background = new Background(env.shard);
  const end = (ended: readonly EndedCall[]) => {
    servers.release(ended);
    settle(ended);
  };
  const enter = async (inFlow: readonly Call[]) => {
    const { ready, ended } = await servers.take(inFlow);
    settle(ended);
    await place(ready);
  };
  const start = (ready: readonly Call[]) => {
    for (const { id } of ready) pending.delete(id);
    return runner.run(ready);
  };
  const place = async (placed: readonly Call[]) => {
    const defined = placed.map(withDefinition(env));
    for (const call of defined) callOfId.set(call.id, call);
    const { ready, ended } = await keys.take(defined);
    end(ended);
    await start(ready);
  };
  const flows = new FlowLeases(env, ledger, background, { ended: settle, ready: enter });
  const keys = new KeyLeases(env, background, { ended: end, ready: start }, () => runner.freeTurns);
  const onNewerServices = () => readServices(env, ledger, true);
  using servers = new ServerLeases(env, ledger, background, { ended: end, ready: place, onNewerServices }, backlog);
  const host = {
    over: (call: EndedCall) => {
      servers.over(call);
      keys.over(call);
    },
    heldBack: (call: Call) => servers.heldBack(call),
    ended: (over: EndedCall[]) => keys.release(over),
    cancelledAmong: (ids: string[]) => ledger.cancelledAmong(ids),
  };
  using runner = new CallRunner(env, host, spans);
  settle(unreadable);
  background.add(
    flows.take([...pending.values()]).then(({ ready, ended }) => {
      settle(ended);
      return enter(ready);
    }),
  );
  for (;;) {
    await background.pass();
    keys.flush();
    servers.flush();
    flows.flush();
    if (!background.isIdle) continue;
    if (pending.size === 0) break;
    // Nothing between the claim and the call may cost a task its attempt (rule R21).
    end([...pending.keys()].map((id) => notStarted(id, 'not-started')));
  }
  await settler.drain();
  await Promise.all(telling);
}

async function tellAccepted(env: ConsumerEnv, service: string, id: string, server: string | undefined): Promise<void> {
  await tellAborted(env, service, id, await serversOf(env, service, server));
}

/** The end of a call that was not made. */
function notStarted(id: string, reason: 'misconfigured' | 'not-started', problem?: string): EndedCall {
  return notCalled(id, {
    kind: 'deferred',
    reason,
    retryAfterMs: problem === undefined ? undefined : UNREADABLE_REQUEST_DELAY_MS,
    ...(problem !== undefined && { error: { class: 'network', message: problem } }),
  });
}

/**
 * What is unknown, or old, is asked for before the batch: an isolate that has rested would call by what was in
 * force long ago. Where the registry is asked for servers anyway, its answer says whether anything has changed.
 */
async function loadServices(env: ConsumerEnv, ledger: LedgerConversation, names: ReadonlySet<string>): Promise<void> {
  const services = [...names].map((name) => ({ name, service: env.known.find(name) }));
  const urgent = services.some(({ service }) => service === undefined);
  const isTold = !urgent && services.some(({ name, service }) => asksRegistry(env, name, service));
  if (!isTold) await readServices(env, ledger, urgent);
}

function readServices({ known }: ConsumerEnv, ledger: LedgerConversation, urgent: boolean): Promise<void> {
  return refreshServices(known, ledger, { urgent });
}

function settlementsOf(env: ConsumerEnv, call: Call | undefined, { attempted }: EndedCall): Settlement[] {
  if (call === undefined) return [];
  const { callbackTimeoutSeconds = 0 } = call.definition ?? env.services[call.service] ?? {};
  return [settlementOf(call, attempted, callbackTimeoutSeconds * 1000, Math.random())];
}

/**
 * The tasks that this invocation may run; the others get their disposition at once. Where a service may have been put since
 * the registry was asked, its task is left as it is until it may be asked again.
 */
function admit(env: ConsumerEnv, inbox: Inbox, deliveries: Deliveries): WaitingTask[] {
  const tasks = [...inbox.tasks.values()];
  const { early = [], ready = [] } = Object.groupBy(tasks, (message) => {
    const isKnown = env.known.find(serviceOf(message)) !== undefined;
    return isKnown || env.known.isAskedSince(sentAt(inbox, idOf(message))) ? 'ready' : 'early';
  });
  for (const message of early) deliveries.decide(idOf(message), { kind: 'retry', delayMs: ASK_AGAIN_MS });
  const isBound = (message: WaitingTask) => env.services[serviceOf(message)]?.binding !== undefined;
  const bound = ready.filter(isBound);
  const fetched = ready.filter((message) => !isBound(message));
  for (const message of bound.slice(MAX_BOUND_CALLS)) {
    deliveries.decide(idOf(message), { kind: 'retry', delayMs: CROWDED_OUT_DELAY_MS });
  }
  return [...fetched, ...bound.slice(0, MAX_BOUND_CALLS)];
}

/** Of a service that was put at run time: where the call is made it may not be known yet. Of a message: nobody defines it. */
function withDefinition({ known }: ConsumerEnv): (call: Call) => Call {
  return (call) => {
    const { webhook } = call.request;
    const definition = webhook === undefined ? known.findPut(call.service) : definitionOfMessage(webhook.url);
    return definition === undefined ? call : { ...call, definition };
  };
}

async function runCancels(env: ConsumerEnv, { cancels }: Inbox, deliveries: Deliveries): Promise<void> {
  let bound = 0;
  let fetched = 0;
  await Promise.all(
    [...cancels].map(async ([key, { id, service, server }]) => {
      const isBound = env.services[service]?.binding !== undefined;
      if (isBound ? ++bound > MAX_TOLD_BOUND : ++fetched > MAX_TOLD_FETCHED) {
        deliveries.decide(key, { kind: 'retry', delayMs: CROWDED_OUT_DELAY_MS });
        return;
      }
      await tellCancelled(env, service, id, await serversOf(env, service, server));
      deliveries.decide(key, { kind: 'ack' });
    }),
  );
}
