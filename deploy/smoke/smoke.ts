/**
 * A first look at a deployment: a task through the public address, a batch against a slow backend, and what the account
 * says of logs, secrets, cron and dead letters. Removes what it made, whatever happens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../account/account.ts';
import type { CloudflareApi } from '../account/api.ts';
import { readAccount } from '../account/read-account.ts';
import { readBacklog } from '../apply/drain.ts';
import { DeployError } from '../deploy-error.ts';
import type { Desired } from '../desired.ts';
import { type Ask, type EndedTask, SmokeClient } from './client.ts';
import { createEcho, removeEcho } from './echo.ts';
import { type LogTiming, logsSeen } from './logs.ts';

export interface SmokeContext {
  readonly api: CloudflareApi;
  readonly desired: Desired;
  readonly publicUrl: string;
  readonly jwtSecret: string;
  readonly ask: Ask;
  readonly timing?: SmokeTiming;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface SmokeTiming {
  /** From a definition to the first task: by then every isolate knows it. */
  readonly knownAfterMs: number;
  readonly slowMs: number;
  /** Longer than a call may wait for one of six connections behind others as slow, shorter than two of them. */
  readonly timeoutSeconds: number;
  readonly logs: LogTiming;
}

const TIMING: SmokeTiming = {
  knownAfterMs: 6_000,
  slowMs: 3_000,
  timeoutSeconds: 5,
  logs: { withinMs: 90_000, pollMs: 3_000 },
};

export interface SmokeCheck {
  readonly what: string;
  readonly isGood: boolean;
  readonly seen: string;
}

/** More than a row or a message holds. */
const LARGE_BYTES = 100_000;

/**
 * Tasks of one submission. Queues hand over what they have: a batch of at most six calls all of them at once, and says
 * nothing of what a seventh has to wait for. Then more are sent.
 */
const SUBMISSIONS = [12, 60] as const;

/** @returns what was looked at; the deployment is well when all of it is good */
export async function smoke(context: SmokeContext): Promise<readonly SmokeCheck[]> {
  const { api, desired, publicUrl, jwtSecret, ask, say, signal, timing = TIMING } = context;
  const account = await readAccount(api, desired.family, say);
  const checks: SmokeCheck[] = [];
  const look = async (what: string, see: () => Promise<Omit<SmokeCheck, 'what'>>) => {
    signal.throwIfAborted();
    const seen = await see().catch((error: unknown) => ({ isGood: false, seen: reasonOf(error) }));
    checks.push({ what, ...seen });
  };
  await look('settings of the account', async () => settingsSeen(desired, account));
  await look('dead letters', () => deadLettersSeen(api, desired, account));
  if (account.subdomain === undefined) throw new DeployError('the account has no workers.dev subdomain for an echo');
  const client = await SmokeClient.to(publicUrl, jwtSecret, ask, signal);
  const echo = `${desired.name}-smoke-echo`;
  const [quick, slow] = [`${desired.name}-smoke`, `${desired.name}-smoke-slow`];
  try {
    const baseUrl = await createEcho(api, echo, account.subdomain);
    await client.reach(baseUrl);
    await look('public address', async () => {
      await client.health();
      return { isGood: true, seen: 'its /healthz answers' };
    });
    await client.define(quick, { baseUrl });
    await client.define(slow, slowService(baseUrl, timing));
    await sleep(timing.knownAfterMs, undefined, { signal });
    const id = await client.submit(quick);
    await look('a task', async () => taskSeen(await timed(() => client.wait(id))));
    const [bucket] = desired.buckets;
    if (bucket !== undefined) await look('a large task', () => largeTaskSeen(client, quick, bucket));
    await look('six connections', () => connectionsSeen(client, slow, timing));
    await look('logs', () => logsSeen(api, id, timing.logs, signal));
  } finally {
    await Promise.allSettled([client.forget(quick), client.forget(slow)]);
    await removeEcho(api, echo);
  }
  return checks;
}

function slowService(baseUrl: string, { slowMs, timeoutSeconds }: SmokeTiming) {
  return { baseUrl, path: `/?ms=${slowMs}`, timeoutSeconds, retry: { maxAttempts: 1 } };
}

function settingsSeen({ callback, consumers, producer }: Desired, { workers }: Account) {
  const all = [callback, ...consumers, producer];
  const silent = all.filter(({ name }) => workers.get(name)?.settings.observability?.enabled !== true);
  const lacking = all.flatMap(({ name, requiredSecrets }) =>
    requiredSecrets
      .filter((secret) => workers.get(name)?.secrets.has(secret) !== true)
      .map((secret) => `${name} ${secret}`),
  );
  const stale = all.filter(({ name }) => workers.get(name)?.isNewest !== true);
  const crons = all.flatMap(({ name, config }) =>
    config.triggers.crons
      .filter((cron) => workers.get(name)?.crons.includes(cron) !== true)
      .map((cron) => `${name} lacks the cron ${cron}`),
  );
  const wrong = [
    ...silent.map(({ name }) => `${name} writes no log`),
    ...lacking.map((secret) => `${secret} is missing`),
    ...stale.map(({ name }) => `${name} does not run its newest version`),
    ...crons,
  ];
  const isGood = wrong.length === 0;
  return {
    isGood,
    seen: isGood ? `${all.length} Workers log, have their secrets, and their crons are set` : wrong.join('; '),
  };
}

async function deadLettersSeen(api: CloudflareApi, desired: Desired, { queues }: Account) {
  const [name = ''] = desired.queues;
  const queue = queues.get(name);
  if (queue === undefined) return { isGood: false, seen: `there is no queue ${name}` };
  const backlog = await readBacklog(api, queue.id);
  const isConsumed = queue.consumers.some(({ worker }) => worker === desired.callback.name);
  return {
    isGood: isConsumed && backlog === 0,
    seen: `${name} holds ${backlog}, ${isConsumed ? 'and' : 'and no'} ${desired.callback.name} takes them`,
  };
}

function taskSeen({ task, tookMs }: { readonly task: EndedTask; readonly tookMs: number }) {
  const isGood = task.status === 'succeeded' && task.call !== undefined;
  return {
    isGood,
    seen: `${task.status} in ${(tookMs / 1000).toFixed(1)} s${task.error === undefined ? '' : `: ${task.error}`}`,
  };
}

/** A payload that lies in the bucket from its acceptance to the call. */
async function largeTaskSeen(client: SmokeClient, service: string, bucket: string) {
  const id = await client.submit(service, { smoke: 'x'.repeat(LARGE_BYTES) });
  const { isGood, seen } = taskSeen(await timed(() => client.wait(id)));
  return { isGood, seen: `${LARGE_BYTES / 1000} KB by way of ${bucket}: ${seen}` };
}

/** Calls against a slow echo, until some of them have waited for their turn in a batch of more than six. */
async function connectionsSeen(client: SmokeClient, service: string, timing: SmokeTiming) {
  let seen = { isGood: false, seen: 'nothing' };
  for (const count of SUBMISSIONS) {
    const ids = await client.submitMany(service, count);
    const { waited, ...batch } = batchSeen(await Promise.all(ids.map((id) => client.wait(id))), timing);
    seen = batch;
    if (waited > 0 || !batch.isGood) return seen;
  }
  return { ...seen, seen: `${seen.seen}; no batch held more than six, so none had to wait` };
}

/**
 * A batch makes six calls at a time, and a call's time-out runs from its turn on. Whoever the platform lets wait for a
 * connection all the same, because it gives fewer than six, fails with its time-out. The echo says when it was called.
 */
function batchSeen(tasks: readonly EndedTask[], { slowMs, timeoutSeconds }: SmokeTiming) {
  const failed = tasks.filter(({ status, attempts }) => status !== 'succeeded' || attempts !== 1);
  const calls = tasks.flatMap(({ call }) => call ?? []);
  const first = Math.min(...calls.map(({ calledAt }) => calledAt));
  const waited = calls.filter(({ calledAt }) => calledAt - first >= slowMs * 0.8).length;
  const told = `${tasks.length} calls of ${slowMs / 1000} s with a time-out of ${timeoutSeconds} s: ${tasks.length - failed.length} succeeded at once, ${mostAtATime(calls)} at a time, ${waited} after their turn came`;
  return {
    waited,
    isGood: failed.length === 0,
    seen: failed.length === 0 ? told : `${told}; ${failed[0]?.error ?? failed[0]?.status}`,
  };
}

/** The most calls that ran at the same moment. */
function mostAtATime(calls: readonly { readonly calledAt: number; readonly answeredAt: number }[]): number {
  return Math.max(
    0,
    ...calls.map(({ calledAt: at }) => calls.filter((one) => one.calledAt <= at && at < one.answeredAt).length),
  );
}

async function timed(run: () => Promise<EndedTask>) {
  const startedAt = performance.now();
  const task = await run();
  return { task, tookMs: performance.now() - startedAt };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
