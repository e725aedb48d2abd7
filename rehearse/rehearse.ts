/**
 * Rehearses deploys against the stub: each scenario once without a fault, then with one at a call, and a
 * second run after it. What both runs leave must be what the run without a fault left; at every moment
 * in between the account must hold a system that works.
 */
import { isDeepStrictEqual } from 'node:util';
import { CloudflareApi } from '../deploy/account/api.ts';
import { runDeploy, runDestroy } from '../deploy/run.ts';
import type { Uploads } from '../deploy/upload/build-uploads.ts';
import { FakeCloudflare } from './fake-cloudflare.ts';
import { FAULTS, type Fault, isHealed } from './faults.ts';
import { REHEARSED_SECRETS, type Scenario, type Stage, secondRelease } from './scenario.ts';
import { type ApiCall, CloudflareStub } from './server.ts';
import { snapshotOf } from './snapshot.ts';

/** What the Workers cannot do without, as their `env.ts` says. */
const REQUIRED_SECRETS = {
  producer: ['JWT_SECRET', 'ID_SECRET', 'WEBHOOK_SECRET'],
  callback: ['CALLBACK_SECRET'],
  consumer: ['WEBHOOK_SECRET'],
};

/** Long enough for an upload on a busy machine; shorter where nobody is going to answer. */
const TIMEOUT_MS = 60_000;
const SILENT_TIMEOUT_MS = 1_500;

/** The program that deploys ended here, in the middle. */
class Crash extends Error {
  override readonly name = 'Crash';
}

export interface Rehearsal {
  readonly scenario: Scenario;
  /** As the scenario finds it. */
  readonly before: FakeCloudflare;
  /** As it leaves it. */
  readonly after: FakeCloudflare;
  readonly calls: readonly ApiCall[];
  /** What the run said. */
  readonly said: readonly string[];
}

export interface FaultRun {
  readonly scenario: string;
  readonly fault: Fault;
  /** The call that it met. */
  readonly call: string;
  /** The first run came to its end by itself. */
  readonly healed: boolean;
  /** What was wrong; empty when all is as it should be. */
  readonly problems: readonly string[];
}

/** @throws when the scenario fails without any fault, or does anything that it must not */
export async function rehearseScenario(scenario: Scenario, uploads: Uploads): Promise<Rehearsal> {
  const before = new FakeCloudflare();
  for (const stage of scenario.before) await succeed(scenario, new StageRun(before, stage, uploads));
  await scenario.stage.meanwhile?.(before);
  const run = new StageRun(before.copy(), scenario.stage, uploads);
  await succeed(scenario, run);
  return { scenario, before, after: run.cloud, calls: run.calls, said: run.said };
}

/** @param rehearsal the run without a fault, which this one is held against */
export async function tryFault(
  { scenario, before, after, calls }: Rehearsal,
  fault: Fault,
  uploads: Uploads,
): Promise<FaultRun> {
  const run = new StageRun(before.copy(), scenario.stage, uploads);
  await run.open();
  const first = await run.attempt(fault);
  const second = first === undefined ? undefined : await run.attempt(undefined);
  await run.close();
  const problems = run.problems();
  if (second !== undefined) problems.push(`the second run ended with: ${second}`);
  if (first !== undefined && isHealed(fault.kind)) problems.push(`the run did not help itself: ${first}`);
  if (!isDeepStrictEqual(snapshotOf(run.cloud), snapshotOf(after))) problems.push('the account is not the same');
  const met = calls[fault.call - 1];
  const call = met === undefined ? '' : `${met.method} ${met.path}`;
  return { scenario: scenario.name, fault, call, healed: first === undefined, problems };
}

/** @throws when the run does not come to its end, or does anything that it must not */
export async function succeed({ name }: Pick<Scenario, 'name'>, run: StageRun): Promise<void> {
  await run.open();
  const ended = await run.attempt(undefined);
  await run.close();
  const problems = [...(ended === undefined ? [] : [ended]), ...run.problems()];
  if (problems.length > 0) throw new Error(`${name}: ${problems.join('; ')}`);
}

/** One stage, run against an account as often as it takes. */
export class StageRun {
  readonly cloud: FakeCloudflare;
  readonly said: string[] = [];
  readonly #stage: Stage;
  readonly #uploads: Uploads;
  readonly #stub: CloudflareStub;

  constructor(cloud: FakeCloudflare, stage: Stage, uploads: Uploads) {
    this.cloud = cloud;
    this.#stage = stage;
    this.#uploads = stage.release === 2 ? secondRelease(uploads) : uploads;
    this.#stub = new CloudflareStub(
      {
        secrets: REHEARSED_SECRETS,
        requiredSecrets: REQUIRED_SECRETS,
        mayLoseMessages: stage.destroys === true,
        ...stage.refuses,
      },
      cloud,
    );
  }

  open(): Promise<void> {
    return this.#stub.listen();
  }

  close(): Promise<void> {
    return this.#stub.close();
  }

  get calls(): readonly ApiCall[] {
    return this.#stub.calls;
  }

  problems(): string[] {
    const told = REHEARSED_SECRETS.some((secret) => this.said.some((line) => line.includes(secret)));
    return [...this.#stub.violations, ...(told ? ['a secret was printed'] : [])];
  }

  /** @returns what ended it, when it did not come to its end */
  async attempt(fault: Fault | undefined): Promise<string | undefined> {
    const life = new AbortController();
    this.#stub.startRun(fault);
    this.#stub.onCrash = () => life.abort(new Crash('the process is gone'));
    const say = (line: string) => void this.said.push(line);
    const { baseUrl, accountId, token } = this.#stub;
    const api = new CloudflareApi({
      baseUrl,
      accountId,
      token,
      pausesMs: [1, 1, 1],
      settlePausesMs: [1, 1, 1, 1, 1],
      timeoutMs: fault !== undefined && FAULTS[fault.kind].answer === 'none' ? SILENT_TIMEOUT_MS : TIMEOUT_MS,
      signal: life.signal,
      onPause: say,
    });
    const { request, environment, destroys, migrationsOf } = this.#stage;
    try {
      if (destroys === true) {
        await runDestroy({ api, request, say, signal: life.signal }, false);
      } else {
        await runDeploy({
          api,
          request,
          environment,
          migrationsOf,
          build: () => Promise.resolve(this.#uploads),
          drain: { maxMs: 5_000, pollMs: 1, force: false },
          say,
          signal: life.signal,
        });
      }
      return undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(reason);
      return reason;
    }
  }
}
