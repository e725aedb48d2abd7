/**
 * Runs what was uploaded to the stub: the same modules, bindings and secrets, in the local runtime, and a
 * task through all of it. What an account holds after a deploy is thereby known to work, not only to be
 * there. The database is migrated by the statements that the deploy sent.
 */
import {
  convertV4MiniflareOptions,
  type LegacyWorkerOptions,
  Miniflare,
  Response as MiniflareResponse,
  NoOpLog,
} from 'miniflare';
import { startExample } from '../local/example-process.ts';
import { guardRuntimes } from '../local/orphan-guard.ts';
import { withoutSignalHandlers } from '../local/signals.ts';
import { signToken } from '../shared/auth/token.ts';
import type { FakeCloudflare } from './fake-cloudflare.ts';
import { localWorker } from './local-worker.ts';
import type { Script } from './script.ts';

const WAIT_SECONDS = 30;

/** More than a message and a row hold (docs/bodies.md). */
const LARGE_BYTES = 200_000;

/** More than wrangler.toml allows in ten seconds, also where they fall into two of them. */
const MAX_WRONG_TOKENS = 1_200;
const AT_ONCE = 150;

/** What the account holds, running. */
export interface Live {
  /** What the internet would do with a request to a host of the account's own workers.dev. */
  ask(url: string, init?: RequestInit): Promise<Response>;
  readonly runtime: Miniflare;
  stop(): Promise<void>;
}

/**
 * A task, one with a body that lies in the bucket, and as many wrong tokens as it takes to be refused.
 * @throws when one of the tasks does not succeed, or nothing counts the tokens
 */
export async function runTaskThrough(cloud: FakeCloudflare, deployment: string, jwtSecret: string): Promise<void> {
  const backend = await startExample('backend', () => {});
  const services = { echo: { baseUrl: backend.url, path: '/echo' } };
  const live = await startLive(cloud, deployment, { SERVICES: services, ALLOW_PRIVATE_TARGETS: 'true' });
  try {
    const producer = `${deployment}-producer`;
    await submitTask(live.runtime, producer, jwtSecret, 'echo');
    await submitTask(live.runtime, producer, jwtSecret, 'echo', LARGE_BYTES);
    await presentWrongTokens(live.runtime, producer);
  } finally {
    await live.stop();
    await backend.stop();
  }
}

/**
 * The Workers of a deployment as they stand in the account now.
 * @param vars in place of what was deployed; with them Workers reach private addresses, and without them the public
 *   ones of the account alone
 * @param connections to the public ones that a Worker may have open at a time; who wants more waits
 */
export async function startLive(
  cloud: FakeCloudflare,
  deployment: string,
  vars?: Readonly<Record<string, unknown>>,
  connections = Number.POSITIVE_INFINITY,
): Promise<Live> {
  guardRuntimes();
  const workers = [...cloud.scripts.values()].filter(({ name }) => name.startsWith(`${deployment}-`));
  const ask = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const name = workerAt(cloud, url);
    if (name === undefined) return new Response('no such host', { status: 530 });
    const worker = await runtime.getWorker(name);
    // Miniflare's own types of the same things.
    return (await worker.fetch(url, init as object)) as unknown as Response;
  };
  const outside = (script: Script): Pick<LegacyWorkerOptions, 'outboundService'> => {
    const open = atATime(connections);
    return {
      outboundService: (async (request: Request) => {
        // The platform's refusal of a fetch to one's own account, unless the flag makes it a public one.
        if (!script.metadata.compatibility_flags.includes('global_fetch_strictly_public')) {
          return new MiniflareResponse('error code: 1042', { status: 404 });
        }
        const { method, headers, url } = request;
        const body = method === 'GET' || method === 'HEAD' ? undefined : await request.arrayBuffer();
        const sent = { method, headers: [...headers], ...(body !== undefined && { body }) } as RequestInit;
        const answer = await open(() => ask(url, sent));
        return new MiniflareResponse(await answer.arrayBuffer(), {
          status: answer.status,
          headers: [...answer.headers],
        });
      }) as unknown as NonNullable<LegacyWorkerOptions['outboundService']>,
    };
  };
  const runtime = withoutSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          workers: workers.map((script) => ({
            ...localWorker(cloud, script, vars ?? {}),
            ...(vars === undefined && outside(script)),
          })),
          handleStructuredLogs: ({ timestamp, message }) => keep(cloud, deployment, timestamp, message),
          log: new NoOpLog(),
          telemetry: { enabled: false },
          cf: false,
        }),
      ),
  );
  try {
    for (const [uuid, { statements }] of cloud.databases) {
      const owner = workers.find(({ metadata }) =>
        metadata.bindings.some(({ type, id }) => type === 'd1' && id === uuid),
      );
      if (owner === undefined) continue;
      const binding = owner.metadata.bindings.find(({ type, id }) => type === 'd1' && id === uuid)?.name ?? '';
      const database = await runtime.getD1Database(binding, owner.name);
      for (const { sql, params } of statements)
        await database
          .prepare(sql)
          .bind(...params)
          .run();
    }
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
  return { ask, runtime, stop: () => runtime.dispose() };
}

/** Runs so many at the same time; others wait in the order in which they came. */
function atATime(most: number): <Result>(run: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (run) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

/** What the account keeps of a text that a Worker wrote: of those whose log is on, as far as a line says whose it is. */
function keep(cloud: FakeCloudflare, deployment: string, timestamp: number, text: string): void {
  for (const line of text.split('\n')) {
    const parsed = line.startsWith('{') ? (JSON.parse(line) as Readonly<Record<string, unknown>>) : {};
    const script = `${deployment}-consumer-${String(parsed.shard)}`;
    if (cloud.scripts.get(script)?.settings.observability?.enabled === true) {
      cloud.logs.push({ script, timestamp, line: parsed });
    }
  }
}

/** The Worker behind an address of the account's workers.dev, if it has one. */
function workerAt(cloud: FakeCloudflare, url: string): string | undefined {
  const [, name = ''] = /^([^.]+)\.(.+)$/.exec(new URL(url).hostname) ?? [];
  const isOurs = new URL(url).hostname === `${name}.${cloud.subdomain}.workers.dev`;
  return isOurs && cloud.scripts.get(name)?.hasAddress === true ? name : undefined;
}

/** @throws when it does not succeed */
export async function submitTask(
  runtime: Miniflare,
  producer: string,
  jwtSecret: string,
  service: string,
  bytes = 0,
): Promise<void> {
  const worker = await runtime.getWorker(producer);
  const token = await signToken({ role: 'client', sub: 'rehearsal' }, jwtSecret, 600);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ service, payload: { rehearsed: 'x'.repeat(bytes) } });
  const accepted = await worker.fetch('http://tasklane/api/task', { method: 'POST', headers, body });
  if (accepted.status !== 202)
    throw new Error(`the deployed producer answered ${accepted.status}: ${await accepted.text()}`);
  const { id } = (await accepted.json()) as { id: string };
  const polled = await worker.fetch(`http://tasklane/api/task/${id}?wait=${WAIT_SECONDS}`, { headers });
  const { status } = (await polled.json()) as { status: string };
  if (status !== 'succeeded') throw new Error(`a task through the deployed Workers is ${status}`);
}

/** The platform's counters are bound: who guesses tokens is told to wait. */
async function presentWrongTokens(runtime: Miniflare, producer: string): Promise<void> {
  const worker = await runtime.getWorker(producer);
  const headers = { authorization: 'Bearer not.a.token' };
  // Many at once: what is counted is how many come within ten seconds, which a busy machine may take for one after the other.
  for (let tries = 0; tries < MAX_WRONG_TOKENS; tries += AT_ONCE) {
    const asked = Array.from({ length: AT_ONCE }, () => worker.fetch('http://tasklane/api/tasks', { headers }));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    if (statuses.includes(429)) return;
    const other = statuses.find((status) => status !== 401);
    if (other !== undefined) throw new Error(`a wrong token is answered with ${other}`);
  }
  throw new Error(`${MAX_WRONG_TOKENS} wrong tokens are not counted: is the rate limit bound?`);
}
