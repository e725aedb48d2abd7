/**
 * `npm run bench:statistics`: what counting costs where it is done. Batches are claimed and settled by the Worker's own
 * code on SQLite, once with its statistics and once with ones that count nothing, in pairs whose order alternates, on
 * databases that are alike, in processor time, as medians over the pairs. Told apart: what a batch waits for, and the write of
 * the counts, which the Worker makes beside the answer. It leaves out
 * what a task costs elsewhere (calls, RPC, D1's own way), and so shows a larger share than a deployment has.
 */
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import type { CallbackEnv } from '../callback/env.ts';
import { answerClaims } from '../callback/runs/claim.ts';
import { settleAttempts } from '../callback/runs/settle.ts';
import { Statistics, writeDueStatistics } from '../callback/statistics.ts';
import { importMacKey } from '../shared/crypto/mac.ts';
import type { Settlement } from '../shared/ledger/contract.ts';
import { smallestTaskIdAt } from '../shared/task/id.ts';
import { asD1, migrate } from './sqlite/d1.ts';

const BATCH_TASKS = 10;
const START = Date.UTC(2026, 10, 27);
const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };
const SERVICES = ['ocr', 'llm', 'translate'];

/** Counts nothing, and has nothing to write. */
class NoStatistics extends Statistics {
  override noteClaims(): void {}
  override noteMoves(): void {}
  override noteDurations(): void {}
  override takeDue(): [] {
    return [];
  }
}

/** Microseconds of processor time. */
interface Spent {
  readonly awaited: number;
  /** With what is done beside the answer. */
  readonly all: number;
}

async function spentOn(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

class Side {
  readonly env: CallbackEnv;
  readonly #db: D1Database;
  #next = 0;

  constructor(statistics: Statistics, tokenKey: CallbackEnv['tokenKey']) {
    const database = new DatabaseSync(':memory:');
    migrate(database);
    this.#db = asD1(database);
    const store = { number: 0, db: this.#db };
    this.env = {
      stores: { all: [store], control: this.#db, has: () => true, find: () => store, of: () => this.#db },
      statistics,
      tokenKey,
      retentionMs: 30 * 86_400_000,
    } as unknown as CallbackEnv;
  }

  async run(batches: number): Promise<Spent> {
    let awaited = 0;
    let beside = 0;
    for (let batch = 0; batch < batches; batch++) {
      awaited += await spentOn(() => this.#settleBatch());
      beside += await spentOn(async () => writeDueStatistics(this.#db, this.env.statistics, this.#now()));
    }
    return { awaited, all: awaited + beside };
  }

  #now(): number {
    return START + this.#next * 10;
  }

  async #settleBatch(): Promise<void> {
    const now = this.#now();
    const claims = Array.from({ length: BATCH_TASKS }, () => {
      const number = this.#next++;
      const id = smallestTaskIdAt(now).slice(0, 20) + String(number).padStart(16, '0');
      const service = SERVICES[number % SERVICES.length] ?? '';
      const task = { id, subject: 'bench', service, policy: POLICY, deadlineAt: now + 86_400_000, request: '{}' };
      return { id, leaseMs: 60_000, task };
    });
    const answers = await answerClaims(this.env, { nonce: crypto.randomUUID(), claims }, now);
    const settlements = answers.flatMap((answer): Settlement[] =>
      answer.granted
        ? [{ id: answer.id, state: answer.state, event: { type: 'succeed', at: now + 40, run: answer.state.run } }]
        : [],
    );
    if (settlements.length !== BATCH_TASKS) throw new Error('a task was not claimed');
    await settleAttempts(this.env, settlements, now + 40);
  }
}

const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '40' }, batches: { type: 'string', default: '100' } },
});
const tokenKey = await importMacKey('secret-of-the-bench-32-bytes-or-more', undefined);
const [counting, silent] = [new Side(new Statistics(), tokenKey), new Side(new NoStatistics(), tokenKey)];
const batches = Number(values.batches);
for (const side of [counting, silent]) await side.run(batches);
const pairs: { readonly counted: Spent; readonly uncounted: Spent }[] = [];
for (let pair = 0; pair < Number(values.pairs); pair++) {
  const isFirst = pair % 2 === 0;
  const one = await (isFirst ? counting : silent).run(batches);
  const other = await (isFirst ? silent : counting).run(batches);
  pairs.push(isFirst ? { counted: one, uncounted: other } : { counted: other, uncounted: one });
}
/** More than without statistics, in percent. */
const more = (of: keyof Spent) => {
  const sorted = pairs.map(({ counted, uncounted }) => (counted[of] / uncounted[of] - 1) * 100).sort((a, b) => a - b);
  return (quantile: number) => sorted[Math.floor(quantile * (sorted.length - 1))] ?? 0;
};
const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
console.log(`${pairs.length} pairs of ${batches} batches of ${BATCH_TASKS} tasks, processor time with statistics`);
for (const [of, what] of [
  ['awaited', 'claim and settle, which a batch waits for'],
  ['all', 'with the write beside it'],
] as const) {
  const at = more(of);
  const micros = median(pairs.map(({ counted, uncounted }) => counted[of] - uncounted[of])) / (batches * BATCH_TASKS);
  console.log(
    `${what}: ${at(0.5).toFixed(1)}% more, ${micros.toFixed(1)} µs a task (quartiles ${at(0.25).toFixed(1)}% and ${at(0.75).toFixed(1)}%)`,
  );
}
