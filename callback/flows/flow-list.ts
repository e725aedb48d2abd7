/**
 * The flows of all objects that look after some, and those that only a line of waiting tasks tells of: a page by name. An
 * object or a store that does not answer makes the page fail: a list that leaves flows out unseen would be worse.
 */
import { FLOW_SHARDS } from '../../shared/flow/flow.ts';
import type { FlowsAsked, NamedFlow } from '../../shared/registry/rpc.ts';
import { readLines } from '../../shared/store/parking.ts';
import type { CallbackEnv } from '../env.ts';
import { describeLines } from '../parking.ts';
import { askRegistry } from '../registry/asking.ts';

export async function listAllFlows(
  env: Pick<CallbackEnv, 'stores' | 'serverRegistry'>,
  asked: FlowsAsked,
): Promise<NamedFlow[]> {
  const { prefix, limit } = asked;
  // Names begin with the prefix and a character, so nothing is before it.
  const after = asked.after > prefix ? asked.after : prefix;
  const [known, lines] = await Promise.all([
    Promise.all(
      Array.from({ length: FLOW_SHARDS }, (_, shard) =>
        askRegistry(env.serverRegistry, (flows) => flows.listFlows({ prefix, after, limit }), shard),
      ),
    ),
    Promise.all(env.stores.all.map(({ db }) => readLines(db, after, limit))),
  ]);
  const flows = new Map<string, NamedFlow>();
  for (const name of lines.flat()) if (name.startsWith(prefix)) flows.set(name, unknownFlow(name));
  for (const flow of known.flat()) flows.set(flow.name, flow);
  const page = [...flows.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, limit);
  const waiting = new Map(
    (
      await describeLines(
        env,
        page.map(({ name }) => name),
      )
    ).map(({ line, count }) => [line, count]),
  );
  return page.map((flow) => ({ ...flow, waiting: waiting.get(flow.name) ?? 0 }));
}

/** Its object has forgotten it: the next of its tasks says its limits again. */
function unknownFlow(name: string): NamedFlow {
  return { name, limits: {}, source: 'task', paused: false, pause: undefined, inFlight: 0, waiting: 0 };
}
