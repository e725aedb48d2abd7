/**
 * The real Workers behind a network that is as narrow as the platform's: of one request, and so of one batch,
 * six connections wait for headers at a time (Workers limits, "Simultaneous open connections"); what is more
 * waits unseen while its time-out runs.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { allEnded, Client, type Pipeline, startPipeline } from './pipeline.ts';

const TASKS = 100;
const HEADERS_MS = 250;
/** Of a hundred calls at once, most would come too late; of six at a time none does, on a machine that stands still now and then. */
const TIMEOUT_SECONDS = 1.8;

/** One shard, so that one batch is under way at a time. */
class NarrowNetwork {
  calls = 0;
  mostAtOnce = 0;
  #waiting = 0;
  #turn: Promise<unknown>[] = [];

  async answer(): Promise<Response> {
    while (this.#waiting >= 6) await Promise.race(this.#turn);
    this.#waiting += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#waiting);
    this.calls += 1;
    const headers = new Promise((resolve) => setTimeout(resolve, HEADERS_MS));
    this.#turn.push(headers);
    await headers;
    this.#turn = this.#turn.filter((other) => other !== headers);
    this.#waiting -= 1;
    return Response.json({ done: true });
  }
}

let pipeline: Pipeline | undefined;
afterEach(() => pipeline?.[Symbol.asyncDispose]());

async function run(connections: number): Promise<{ network: NarrowNetwork; failures: number }> {
  const network = new NarrowNetwork();
  pipeline = await startPipeline({
    shards: 1,
    vars: { CONNECTIONS: String(connections) },
    services: {
      slow: { baseUrl: 'http://slow.test', timeoutSeconds: TIMEOUT_SECONDS, retry: { maxAttempts: 1 } },
    },
    // biome-ignore lint/suspicious/noExplicitAny: the runtime's Response is another class than Node's
    network: (async () => network.answer()) as any,
  });
  const alice = await Client.as(pipeline.run.url, 'alice');
  await alice.submitMany(Array.from({ length: TASKS }, () => ({ service: 'slow' })));
  await allEnded(pipeline.database, TASKS, 60_000);
  const { failures } = pipeline.database.prepare('SELECT sum(failures) AS failures FROM tasks').get() as {
    failures: number;
  };
  return { network, failures };
}

describe('a hundred tasks behind six connections', () => {
  it('are called once each, and none is taken for a time-out', async () => {
    const { network, failures } = await run(6);
    expect(failures).toBe(0);
    expect(network.calls).toBe(TASKS);
    expect(network.mostAtOnce).toBe(6);
  });

  it('time out where a batch takes more connections than there are: the network is as narrow as it says', async () => {
    const { failures } = await run(100);
    expect(failures).toBeGreaterThan(50);
  });
});
