/** A consumer that claims and settles batches as the real one does, one after the other, and calls nobody. */
import { LedgerConversation } from '../../../consumer/delivery/ledger-session.ts';
import { readEnv } from '../../../consumer/env.ts';
import type { Claim, Settlement } from '../../../shared/ledger/contract.ts';
import { smallestTaskIdAt } from '../../../shared/task/id.ts';

export { KeyAdmin } from '../../../consumer/keys/pool/key-admin.ts';
export { KeyPool } from '../../../consumer/keys/pool/key-pool.ts';
export { SyncCall } from '../../../consumer/sync/sync-call.ts';

const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };
const SERVICES = ['ocr', 'llm', 'translate'];
const SUBJECTS = ['alice', 'bob', 'carol', 'dave'];
const SERVERS = ['srv_a', 'srv_b'];

let made = 0;

function claimAt(now: number): Claim {
  const number = made++;
  const id = smallestTaskIdAt(now).slice(0, 20) + String(number).padStart(16, '0');
  const of = <Name>(names: readonly Name[]): Name => names[number % names.length] as Name;
  const request = JSON.stringify({ method: 'POST', path: '/quick', headers: { 'content-type': 'application/json' } });
  const task = { subject: of(SUBJECTS), service: of(SERVICES), policy: POLICY, deadlineAt: now + 86_400_000, request };
  return { id, leaseMs: 60_000, task: { ...task, body: JSON.stringify({ text: 'x'.repeat(200) }) } };
}

/** @param isTold whether it says how long the messages were in the queue: that, too, is for the statistics */
async function runBatch(bindings: object, tasks: number, isTold: boolean): Promise<void> {
  const env = readEnv(bindings);
  using ledger = new LedgerConversation(env.ledger);
  const now = Date.now();
  const claims = Array.from({ length: tasks }, () => claimAt(now));
  const delivered = { shard: env.shard, ms: claims.map((_, at) => 5 + at) };
  const answers = await ledger.claim({ nonce: crypto.randomUUID(), claims, ...(isTold && { delivered }) });
  const settlements = answers.flatMap((answer, at): Settlement[] => {
    if (!answer.granted) return [];
    const { id, state } = answer;
    const server = SERVERS[at % SERVERS.length];
    const record = { run: state.run, attempt: 1, outcome: 'succeeded', startedAt: now, endedAt: now + 40 } as const;
    const result = { type: 'application/json', encoding: 'json', text: '{"text":"done"}' } as const;
    const event = { type: 'succeed', at: now + 40, run: state.run } as const;
    return [{ id, state, event, result, record: { ...record, httpStatus: 200, server } }];
  });
  const settled = await ledger.settle(settlements);
  if (settled.filter(({ status }) => status === 'succeeded').length !== tasks)
    throw new Error('a task was not settled');
}

export default {
  async fetch(request: Request, bindings: object): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const [batches, tasks] = ['batches', 'tasks'].map((name) => Number(searchParams.get(name))) as [number, number];
    for (let batch = 0; batch < batches; batch++) await runBatch(bindings, tasks, searchParams.has('told'));
    return new Response();
  },
  async queue(): Promise<void> {},
};
